import { setTimeout as sleep } from "node:timers/promises";
import { RedisDown, type RedisStore } from "../../mixins/redis/index.ts";
import { Script } from "../../mixins/redis/script.ts";
import type { ShardDb } from "../../mixins/shard-db/index.ts";
import {
  bothFaults,
  compareEntry,
  type Entry,
  type Expected,
  type Fault,
  parseEntry,
} from "./audit-entries.ts";
import { excusesOf, unexcused } from "./audit-excuses.ts";
import type { RedisFinding } from "./audit-findings.ts";
import { queuedJobs } from "./audit-redis.repo.ts";
import { truthOf } from "./audit-truth.ts";
import type { Say } from "./progress.ts";

const READ = new Script(new URL("./lua/read-entries-n.lua", import.meta.url));
/** Entries that one script reads (whole, and Redis does nothing else meanwhile), and that are compared together. */
const PER_SCRIPT = 50;
const COMPARED = 500;
/** ms between two looks. */
const PAUSE_MS = 500;

/**
 * Compares every entry in Redis that readers would believe with what Postgres holds. Throws RedisDown, or 503 where a
 * shard is away.
 */
export async function* auditRedis(db: ShardDb, redis: RedisStore, say: Say): AsyncGenerator<RedisFinding> {
  let seen = 0;
  for await (const keys of inBatches(redis.allKeys(), COMPARED)) {
    const faults = await look(db, redis, keys);
    yield* await stillWrong(db, redis, faults);
    seen += keys.length;
    say("Redis", `${seen} keys`);
  }
}

async function look(db: ShardDb, redis: RedisStore, keys: string[]): Promise<Map<string, Fault>> {
  const entries = await readEntries(redis, keys);
  return faultsOf(entries, await truthOf(db, entries));
}

/**
 * The faults that two more looks find, unchanged, while no job is queued that would mend them. Such a look begins with the
 * truth, then takes the jobs, then the entries, then the truth once more: an effect without a job was there when the
 * entries were read, and what changed in between is not taken for a fault.
 */
async function stillWrong(
  db: ShardDb,
  redis: RedisStore,
  faults: Map<string, Fault>,
): Promise<RedisFinding[]> {
  let left = faults;
  for (const pause of [0, PAUSE_MS]) {
    if (left.size === 0) return [];
    await sleep(pause);
    const keys = [...left.keys()];
    const truth = await truthOf(db, await readEntries(redis, keys));
    const excuses = excusesOf(await queuedJobs(db));
    const entries = await readEntries(redis, keys);
    const [before, after] = [faultsOf(entries, truth), faultsOf(entries, await truthOf(db, entries))];
    const found = new Map<string, Fault>();
    for (const entry of entries) {
      const { key } = entry;
      const both = bothFaults(left.get(key), bothFaults(before.get(key), after.get(key)));
      const fault = both && unexcused(entry, both, excuses);
      if (fault) found.set(key, fault);
    }
    left = found;
  }
  return Array.from(left, ([key, fault]) => ({ check: "redis", key, ...fault }));
}

function faultsOf(entries: Entry[], truth: Map<string, Expected>): Map<string, Fault> {
  const faults = new Map<string, Fault>();
  for (const entry of entries) {
    const expected = truth.get(entry.key);
    const fault = expected && compareEntry(entry, expected);
    if (fault) faults.set(entry.key, fault);
  }
  return faults;
}

async function readEntries(redis: RedisStore, keys: string[]): Promise<Entry[]> {
  const named = keys.flatMap((key) => {
    const parsed = redis.keys.parse(key);
    return parsed ? { key, ...parsed } : [];
  });
  const groups = redis.groups(named, ({ key }) => key, PER_SCRIPT);
  const parts = await Promise.all(
    groups.map(async (group) => {
      const answer = await redis.run(
        READ,
        group.map(({ key }) => key),
      );
      if (!Array.isArray(answer)) throw new RedisDown("an answer that is none");
      const [mark, ...rest] = answer;
      return group.flatMap((name, i) => {
        const [type, content, ttlMs] = rest.slice(3 * i, 3 * i + 3);
        return parseEntry({ ...name, type, content, ttlMs: Number(ttlMs) }, String(mark)) ?? [];
      });
    }),
  );
  return parts.flat();
}

/** The same items in batches of another size, each item once in a batch. */
async function* inBatches<T>(batches: AsyncIterable<T[]>, size: number): AsyncGenerator<T[]> {
  let batch = new Set<T>();
  for await (const items of batches) {
    for (const item of items) {
      batch.add(item);
      if (batch.size < size) continue;
      yield [...batch];
      batch = new Set();
    }
  }
  if (batch.size > 0) yield [...batch];
}
