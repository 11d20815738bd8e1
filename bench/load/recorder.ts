import { build, type Histogram } from "hdr-histogram-js";
import { RequestError } from "./client.ts";

/** Latencies of one kind of request, in ms, and how many were sent and failed. */
export interface OperationSummary {
  name: string;
  requests: number;
  errors: number;
  /** Answered requests a second. */
  perSecond: number;
  p50: number;
  p95: number;
  p99: number;
  max: number;
}

/** All failures of one kind, and what one of them looked like. */
export interface ErrorSummary {
  operation: string;
  status: string;
  count: number;
  example: string;
}

interface Operation {
  histogram: Histogram;
  errors: number;
  /** For how long such requests were sent, in ms. */
  elapsedMs: number;
}

const MICROSECONDS = 1000;
const LONGEST_US = 3_600_000_000;

/** Counts and times everything that is sent. Failures have no latency: they are counted and shown apart. */
export class Recorder {
  readonly #operations = new Map<string, Operation>();
  readonly #errors = new Map<string, ErrorSummary>();

  /** Notes one answered request; `ms` since it was, or should have been, sent. */
  succeeded(name: string, ms: number): void {
    this.#operation(name).histogram.recordValue(Math.min(LONGEST_US, Math.max(1, ms * MICROSECONDS)));
  }

  failed(name: string, error: unknown): void {
    this.#operation(name).errors++;
    const status = error instanceof RequestError ? error.status : "wrong answer";
    const key = `${name} ${status}`;
    const known = this.#errors.get(key);
    if (known) known.count++;
    else {
      const example = Error.isError(error) ? error.message : String(error);
      this.#errors.set(key, { operation: name, status, count: 1, example });
    }
  }

  /** Runs a request and notes how it went; undefined where it failed. `sentAt` is in ms of `performance.now()`. */
  async time<T>(name: string, request: () => Promise<T>, sentAt = performance.now()): Promise<T | undefined> {
    try {
      const answer = await request();
      this.succeeded(name, performance.now() - sentAt);
      return answer;
    } catch (error) {
      this.failed(name, error);
      return undefined;
    }
  }

  /** Says for how long requests of these names were sent, for their throughput. */
  lasted(names: readonly string[], ms: number): void {
    for (const name of names) this.#operation(name).elapsedMs += ms;
  }

  /** Every operation that was sent at least once, in the order of their first. */
  operations(): OperationSummary[] {
    return [...this.#operations].flatMap(([name, { histogram, errors, elapsedMs }]) => {
      const answered = histogram.totalCount;
      // A percentile is the upper end of its class, which may lie above the greatest value.
      const ms = (percentile: number) =>
        Math.min(histogram.getValueAtPercentile(percentile), histogram.maxValue) / MICROSECONDS;
      if (answered + errors === 0) return [];
      return [
        {
          name,
          requests: answered + errors,
          errors,
          perSecond: elapsedMs > 0 ? (answered * 1000) / elapsedMs : 0,
          p50: ms(50),
          p95: ms(95),
          p99: ms(99),
          max: answered > 0 ? histogram.maxValue / MICROSECONDS : 0,
        },
      ];
    });
  }

  /** The failures, most frequent first. */
  errors(): ErrorSummary[] {
    return [...this.#errors.values()].sort((a, b) => b.count - a.count);
  }

  errorCount(): number {
    return this.errors().reduce((sum, { count }) => sum + count, 0);
  }

  #operation(name: string): Operation {
    let operation = this.#operations.get(name);
    if (!operation) {
      const histogram = build({
        lowestDiscernibleValue: 1,
        highestTrackableValue: LONGEST_US,
        numberOfSignificantValueDigits: 3,
      });
      operation = { histogram, errors: 0, elapsedMs: 0 };
      this.#operations.set(name, operation);
    }
    return operation;
  }
}
