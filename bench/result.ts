import type { JobResult } from "./client/index.ts";

/** What a benchmark prints: one line of JSON. */
export interface BenchResult {
  bench: string;
  value: number;
  unit: string;
  /** The bare limit for the same work, measured in the same run on the same servers, in the same unit. */
  floor: number;
  /** value / floor */
  ratio: number;
  detail: Record<string, unknown>;
}

/** The median, so that one disturbed round does not count. Throws RangeError on an empty list. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted[sorted.length >> 1];
  const lower = sorted[(sorted.length - 1) >> 1];
  if (upper === undefined || lower === undefined) throw new RangeError("the median of nothing");
  return (lower + upper) / 2;
}

/** How much was done in how long. */
export type Round = Pick<JobResult, "done" | "elapsedMs">;

/** Makes a result from rounds that took turns, so that both sides had the same neighbours. */
export function resultOf(
  bench: string,
  unit: string,
  values: readonly Round[],
  floors: readonly Round[],
  detail: Record<string, unknown>,
): BenchResult {
  const perSecond = ({ done, elapsedMs }: Round) => (done * 1000) / elapsedMs;
  const [value, floor] = [median(values.map(perSecond)), median(floors.map(perSecond))];
  return {
    bench,
    value: Math.round(value),
    unit,
    floor: Math.round(floor),
    ratio: Number((value / floor).toPrecision(3)),
    detail: {
      ...detail,
      values: values.map((round) => Math.round(perSecond(round))),
      floors: floors.map((round) => Math.round(perSecond(round))),
    },
  };
}

/** The medians of the rounds' latencies, in ms. */
export function latenciesOf(rounds: readonly JobResult[]): { p50Ms: number; p99Ms: number } {
  const inMs = (values: number[]) => Number(median(values).toFixed(2));
  return { p50Ms: inMs(rounds.map(({ p50 }) => p50)), p99Ms: inMs(rounds.map(({ p99 }) => p99)) };
}
