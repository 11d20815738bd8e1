import { writeFileSync } from "node:fs";
import type { Comparison } from "./compare.ts";
import type { LoadOptions } from "./options.ts";
import type { ErrorSummary, OperationSummary } from "./recorder.ts";

/** All that a run found out. Times in ms. */
export interface LoadResult {
  graph: { file: string; people: number; follows: number };
  options: Pick<
    LoadOptions,
    "mix" | "rate" | "seconds" | "concurrency" | "seed" | "topology" | "split" | "workers"
  >;
  operations: OperationSummary[];
  errors: ErrorSummary[];
  /** How long after the load the last deferred effect was there. */
  settledMs: number;
  comparison: Comparison;
}

/** Whether everything was as it should be; with `tolerateErrors` failed requests do not count. */
export function isGood({ errors, comparison }: LoadResult, tolerateErrors: boolean): boolean {
  const { differences, pendingJobs, deadLetters } = comparison;
  if (differences.length > 0 || pendingJobs > 0 || deadLetters > 0) return false;
  return tolerateErrors || errors.length === 0;
}

/** The result as a person reads it. */
export function renderReport(result: LoadResult): string {
  const { operations, errors, comparison, settledMs } = result;
  const { users, tweets, differences, pendingJobs, deadLetters } = comparison;
  return [
    "",
    ...table(operations),
    "(fan-out lag: from the answer to a tweet until probes have seen it at up to 8 of its author's active followers)",
    "",
    ...errors.map(({ operation, status, count, example }) => `${count} × ${operation} ${status}: ${example}`),
    `${errors.reduce((sum, { count }) => sum + count, 0)} errors`,
    pendingJobs === 0
      ? `all deferred effects were there ${(settledMs / 1000).toFixed(1)} s after the load`
      : `${pendingJobs} deferred effects are still not there ${(settledMs / 1000).toFixed(0)} s after the load`,
    ...(deadLetters > 0 ? [`${deadLetters} deferred effects were given up (dead letters)`] : []),
    `${users} home timelines with ${tweets} tweets compared with the database: ${differences.length} differences`,
    ...differences.map((difference) => `  ${difference}`),
  ].join("\n");
}

export function writeJson(file: string, result: LoadResult): void {
  writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
}

/** Operations as lines of a table. */
export function table(operations: OperationSummary[]): string[] {
  const head = ["operation", "requests", "errors", "per second", "p50 ms", "p95 ms", "p99 ms", "max ms"];
  const rows = operations.map(({ name, requests, errors, perSecond, p50, p95, p99, max }) => [
    name,
    String(requests),
    String(errors),
    perSecond > 0 ? perSecond.toFixed(perSecond < 10 ? 1 : 0) : "–",
    ...[p50, p95, p99, max].map((ms) => ms.toFixed(ms < 10 ? 2 : 1)),
  ]);
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0)));
  return [head, ...rows].map((row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join("  "),
  );
}
