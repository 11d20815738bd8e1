import { LRUCache } from "lru-cache";

/** What a token bucket said. */
export interface Verdict {
  passes: boolean;
  limit: number;
  remaining: number;
  /** When the bucket will be full again, in seconds since 1970. */
  reset: number;
  /** ms until the next token; 0 where one was left. */
  waitMs: number;
}

export interface Limit {
  capacity: number;
  windowMs: number;
}

const BUCKETS = 50_000;

/**
 * Token buckets of this process alone, for as long as Redis is away. Like the script admit-n it keeps, for each, the
 * time when it will be full again; the least recently used are forgotten first.
 */
export class LocalBuckets {
  readonly #full = new LRUCache<string, number>({ max: BUCKETS });

  /** Takes `cost` tokens; 0 only looks whether one could be taken, -1 gives one back. Times in ms since 1970. */
  take(key: string, { capacity, windowMs }: Limit, cost: number, now = Date.now()): Verdict {
    const interval = windowMs / capacity;
    let full = Math.max(now, this.#full.get(key) ?? 0);
    const passes = full + interval - now <= windowMs;
    if (cost < 0 || (passes && cost > 0)) {
      full = Math.max(now, full + cost * interval);
      this.#full.set(key, full);
    }
    return {
      passes,
      limit: capacity,
      remaining: Math.floor((windowMs - (full - now)) / interval + 0.001),
      reset: Math.ceil(full / 1_000),
      waitMs: passes ? 0 : Math.ceil(full + interval - windowMs - now),
    };
  }
}
