import { Recorder } from "../load/recorder.ts";

/** One second of a run. Latencies in ms. */
export interface Second {
  /** s since the run began. */
  at: number;
  answered: number;
  failed: number;
  p99: number;
}

/** A recorder that also knows when requests were answered. */
export class Series extends Recorder {
  readonly #begun = performance.now();
  readonly #seconds: { took: number[]; failed: number }[] = [];

  override succeeded(name: string, ms: number): void {
    super.succeeded(name, ms);
    this.#now().took.push(ms);
  }

  override failed(name: string, error: unknown): void {
    super.failed(name, error);
    this.#now().failed++;
  }

  /** s since it began. */
  get elapsed(): number {
    return (performance.now() - this.#begun) / 1_000;
  }

  /** What has happened in each whole second. */
  seconds(): Second[] {
    return Array.from({ length: Math.floor(this.elapsed) }, (_, at) => {
      const { took = [], failed = 0 } = this.#seconds[at] ?? {};
      return { at, answered: took.length, failed, p99: percentile(took, 99) };
    });
  }

  #now(): { took: number[]; failed: number } {
    const at = Math.floor(this.elapsed);
    this.#seconds[at] ??= { took: [], failed: 0 };
    return this.#seconds[at];
  }
}

/** The nearest-rank percentile; 0 of nothing. Pure. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)] ?? 0;
}
