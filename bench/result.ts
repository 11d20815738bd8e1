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

/** How much was done in how long. */
export type Round = Pick<JobResult, "done" | "elapsedMs">;

/**
 * Makes a result from rounds in which both sides took turns. It is the round whose ratio is the median of all: both of
 * its sides had the same neighbours on the machine, and a disturbed round does not count. Throws RangeError without a
 * round.
 */
export function resultOf(
  bench: string,
  unit: string,
  rounds: readonly { value: Round; floor: Round }[],
  detail: Record<string, unknown>,
): BenchResult {
  const rates = rounds.map(({ value, floor }) => ({ value: perSecond(value), floor: perSecond(floor) }));
  const ratioOf = ({ value, floor }: { value: number; floor: number }) => value / floor;
  const middle = [...rates].sort((a, b) => ratioOf(a) - ratioOf(b))[(rates.length - 1) >> 1];
  if (middle === undefined) throw new RangeError("a result of no rounds");
  return {
    bench,
    value: Math.round(middle.value),
    unit,
    floor: Math.round(middle.floor),
    ratio: Number(ratioOf(middle).toPrecision(3)),
    detail: {
      ...detail,
      values: rates.map(({ value }) => Math.round(value)),
      floors: rates.map(({ floor }) => Math.round(floor)),
    },
  };
}

function perSecond({ done, elapsedMs }: Round): number {
  return (done * 1000) / elapsedMs;
}

/** The latencies of the middle one of some rounds, in ms. Throws RangeError without a round. */
export function latenciesOf(rounds: readonly JobResult[]): { p50Ms: number; p99Ms: number } {
  const middle = [...rounds].sort((a, b) => a.p50 - b.p50)[(rounds.length - 1) >> 1];
  if (middle === undefined) throw new RangeError("latencies of no rounds");
  return { p50Ms: Number(middle.p50.toFixed(2)), p99Ms: Number(middle.p99.toFixed(2)) };
}
