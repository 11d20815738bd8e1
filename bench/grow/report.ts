import type { Comparison } from "../load/compare.ts";
import type { ErrorSummary, OperationSummary } from "../load/recorder.ts";
import { table } from "../load/report.ts";
import type { Mark } from "./plot.ts";
import { percentile, type Second } from "./series.ts";

/** All that a run found out. Times in ms, but `seconds` and `marks`. */
export interface GrowResult {
  seconds: Second[];
  marks: Mark[];
  /** For which writers were held up, a range of buckets each. */
  pauses: number[];
  operations: OperationSummary[];
  errors: ErrorSummary[];
  /** So many were acknowledged. */
  tweets: number;
  follows: number;
  /** What was acknowledged and is not there: a line each. */
  lost: string[];
  comparison: Comparison;
  /** Of the audit. */
  findings: string[];
}

const SHOWN = 20;

export function isGood({ errors, lost, comparison, findings }: GrowResult): boolean {
  const { differences, pendingJobs, deadLetters } = comparison;
  return (
    [errors, lost, differences, findings].every((list) => list.length === 0) &&
    pendingJobs + deadLetters === 0
  );
}

/** The result as a person reads it. */
export function renderReport(result: GrowResult): string {
  const { operations, errors, pauses, tweets, follows, lost, comparison, findings, marks } = result;
  const { users, differences, pendingJobs, deadLetters } = comparison;
  const ms = (percent: number) => percentile(pauses, percent).toFixed(0);
  return [
    "",
    ...marks.map(
      ({ from, to, label }) => `${from.toFixed(0).padStart(4)} s  ${label} (${(to - from).toFixed(1)} s)`,
    ),
    "",
    ...table(operations),
    "",
    ...errors.map(({ operation, status, count, example }) => `${count} × ${operation} ${status}: ${example}`),
    `${errors.reduce((sum, { count }) => sum + count, 0)} errors`,
    `writers were held up ${pauses.length} times: p50 ${ms(50)} ms, p95 ${ms(95)} ms, longest ${ms(100)} ms`,
    `${tweets} tweets and ${follows} follows acknowledged, ${lost.length} lost`,
    ...lost.slice(0, SHOWN).map((line) => `  ${line}`),
    `${users} home timelines compared with the database: ${differences.length} differences`,
    ...differences.map((line) => `  ${line}`),
    `${pendingJobs} deferred effects pending, ${deadLetters} given up`,
    findings.length === 0 ? "audit: everything agrees" : `audit: ${findings.length} findings`,
    ...findings.slice(0, SHOWN).map((line) => `  ${line}`),
  ].join("\n");
}
