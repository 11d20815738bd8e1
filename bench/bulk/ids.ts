import { ID_EPOCH_MS } from "../../mixins/shard-db/ids.ts";

/** A span of time, in ms since 1970. */
export interface Span {
  from: number;
  until: number;
}

/**
 * Ids as next_id makes them, for things that were made one after the other, evenly over a span of at least as many ms.
 * In two halves of 32 bits, because tens of millions of BigInts take minutes.
 */
export class IdSeries {
  readonly #fromMs: number;
  readonly #stepMs: number;
  readonly #sequence: number;

  /** `sequence` (0–4095): two series with different ones have no id in common. */
  constructor({ from, until }: Span, count: number, sequence: number) {
    if (until - from < count) throw new RangeError("more ids than milliseconds");
    this.#fromMs = from - ID_EPOCH_MS;
    this.#stepMs = (until - from) / Math.max(1, count);
    this.#sequence = sequence;
  }

  high(i: number): number {
    return Math.floor(this.#ms(i) / 1024);
  }

  low(i: number, bucket: number): number {
    return (this.#ms(i) % 1024) * 2 ** 22 + bucket * 4096 + this.#sequence;
  }

  /** As a decimal string. */
  id(i: number, bucket: number): string {
    return String(BigInt(this.high(i)) * 2n ** 32n + BigInt(this.low(i, bucket)));
  }

  #ms(i: number): number {
    return this.#fromMs + Math.floor(i * this.#stepMs);
  }
}
