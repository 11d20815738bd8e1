import { Redis } from "ioredis";
import { drive, type JobResult, type PushJob } from "./jobs.ts";

const PUSH = "for _, key in ipairs(KEYS) do redis.call('LPUSHX', key, ARGV[1]) end";
const FIRST_ID = 1_800_000_000_000_000_000n;

/** Runs a PushJob on lists that hold so many ids of 19 digits to begin with. Rejects with the first failure. */
export async function runPushes(job: PushJob): Promise<JobResult> {
  const { redisUrl, width, seconds, lists, entries, keysPerCall } = job;
  const redis = new Redis(redisUrl);
  const keys = Array.from({ length: lists }, (_, i) => `bench:list:${i}`);
  try {
    const ids = Array.from({ length: entries }, (_, i) => String(FIRST_ID + BigInt(i)));
    await Promise.all(keys.map((key) => redis.del(key)));
    await Promise.all(keys.map((key) => redis.lpush(key, ...ids)));
    const sha = String(await redis.script("LOAD", PUSH));
    let next = FIRST_ID + BigInt(entries);
    let at = 0;
    return await drive(width, seconds, async () => {
      const group = keys.slice(at, at + keysPerCall);
      at = at + keysPerCall >= lists ? 0 : at + keysPerCall;
      await redis.evalsha(sha, group.length, ...group, String(next++));
      return group.length;
    });
  } finally {
    await Promise.all(keys.map((key) => redis.del(key)));
    redis.disconnect();
  }
}
