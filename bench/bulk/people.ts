import { bucketOfHandle } from "../../mixins/shard-db/ids.ts";
import { at } from "./graph.ts";
import { IdSeries, type Span } from "./ids.ts";

/** The people of a load: `<prefix><position>`, each in the bucket of that handle. */
export class People {
  readonly count: number;
  readonly ids: IdSeries;
  readonly #prefix: string;
  readonly #buckets: Uint16Array;

  constructor(count: number, prefix: string, span: Span, sequence: number) {
    this.count = count;
    this.#prefix = prefix;
    this.ids = new IdSeries(span, count, sequence);
    this.#buckets = new Uint16Array(count);
    for (let i = 0; i < count; i++) this.#buckets[i] = bucketOfHandle(this.username(i));
  }

  username(i: number): string {
    return `${this.#prefix}${i}`;
  }

  bucket(i: number): number {
    return at(this.#buckets, i);
  }

  /** As a decimal string. */
  id(i: number): string {
    return this.ids.id(i, this.bucket(i));
  }
}
