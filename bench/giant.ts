import { Redis } from "ioredis";
import type { Keys } from "../mixins/redis/keys.ts";
import type { Dataset } from "./dataset.ts";

const BATCH = 5_000;

/** Gives an author so many followers who are all active: each has a stored home list. Returns the keys of the lists. */
export async function makeGiant(
  dataset: Dataset,
  redisUrl: string,
  keys: Keys,
  author: { id: string },
  followers: number,
): Promise<string[]> {
  const lists = (await dataset.ghostFollowers(author, followers)).map((id) => keys.home(id));
  const redis = new Redis(redisUrl);
  try {
    const tail = `0|${await runMark(redis)}`;
    for (let first = 0; first < lists.length; first += BATCH) {
      const pipeline = redis.pipeline();
      for (const key of lists.slice(first, first + BATCH)) pipeline.rpush(key, tail);
      await pipeline.exec();
    }
  } finally {
    redis.disconnect();
  }
  return lists;
}

/** What marks a list as stored by the Redis process that runs now: see mixins/redis/lua/mark.lua. */
async function runMark(redis: Redis): Promise<string> {
  const id = /master_replid:([0-9a-f]{12})/.exec(await redis.info("replication"))?.[1];
  return `-${Number.parseInt(id ?? "", 16)}`;
}

/** Lists among `lists` that lack an id. */
export async function missingFrom(redisUrl: string, lists: string[], id: string): Promise<number> {
  const redis = new Redis(redisUrl);
  let missing = 0;
  try {
    for (let first = 0; first < lists.length; first += BATCH) {
      const pipeline = redis.pipeline();
      for (const key of lists.slice(first, first + BATCH)) pipeline.lrange(key, 0, -1);
      for (const [, entries] of (await pipeline.exec()) ?? []) {
        if (!Array.isArray(entries) || !entries.includes(id)) missing++;
      }
    }
  } finally {
    redis.disconnect();
  }
  return missing;
}
