import { setTimeout as sleep } from "node:timers/promises";
import type { Redis } from "ioredis";
import { idTimeMs } from "../mixins/shard-db/ids.ts";

const POLL_MS = 1;
const BOUND_MS = 30_000;
/** Entries that are looked at: more than come in while one waits. */
const HEAD = 100;

/** Somebody who tweets, and the stored home list of one of their followers. */
export interface Sender {
  tweet: () => Promise<string>;
  list: string;
}

/**
 * Has random senders tweet on schedule, so many a second, for as long as `going` holds. Returns how long each tweet took
 * from its id to the follower's list, in ms. Throws where one is not there within 30 s.
 */
export async function deliveryLags(
  redis: Redis,
  senders: readonly Sender[],
  perSecond: number,
  going: (sent: number) => boolean,
): Promise<number[]> {
  const lags: Promise<number>[] = [];
  const startedAt = performance.now();
  while (going(lags.length)) {
    const sender = senders[Math.floor(Math.random() * senders.length)];
    if (!sender) throw new RangeError("no senders");
    lags.push(deliver(redis, sender));
    await sleep(Math.max(0, startedAt + (lags.length * 1000) / perSecond - performance.now()));
  }
  return Promise.all(lags);
}

async function deliver(redis: Redis, { tweet, list }: Sender): Promise<number> {
  const id = await tweet();
  for (;;) {
    const arrived = (await redis.lrange(list, 0, HEAD - 1)).includes(id);
    const lag = Date.now() - idTimeMs(id);
    if (arrived) return lag;
    if (lag > BOUND_MS) throw new Error(`tweet ${id} is not in ${list} after ${BOUND_MS / 1000} s`);
    await sleep(POLL_MS);
  }
}

/** The value that so large a part of all values does not exceed. Throws RangeError without a value. */
export function quantile(values: readonly number[], part: number): number {
  const found = [...values].sort((a, b) => a - b)[Math.ceil(part * values.length) - 1];
  if (found === undefined) throw new RangeError("a quantile of no values");
  return found;
}
