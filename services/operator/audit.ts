import { setTimeout as sleep } from "node:timers/promises";
import type { Env } from "../../config/env.ts";
import { RedisDown, RedisStore } from "../../mixins/redis/index.ts";
import { ShardDb } from "../../mixins/shard-db/index.ts";
import type { Finding } from "./audit-findings.ts";
import { auditRedis } from "./audit-redis.ts";
import { mend } from "./audit-repair.ts";
import { auditShards } from "./audit-shards.ts";
import type { Say } from "./progress.ts";

/** The servers to audit; without a Redis URL only the shards are. */
export type Audited = Pick<Env, "topology" | "redisUrl" | "redisPrefix" | "homeListMaxAgeMs">;

/** A scan of a large table takes minutes, and nobody waits for it (ms). */
const PATIENCE = { postgres: 15 * 60_000, redis: 10_000, firstAnswer: 5_000 };
/** Findings that are mended together. */
const MENDED = 500;

/**
 * Checks everything that is kept twice: edges against mirrors, follows against blocks, counters against what they count,
 * rows against the shard map, what Redis holds against Postgres; and the outbox for jobs that are not getting done.
 * What is merely under way, because people write meanwhile, is not a finding. Throws 503 or RedisDown where something
 * could not be checked.
 */
export async function audit(
  servers: Audited,
  onFinding: (finding: Finding) => void,
  say: Say = () => {},
): Promise<void> {
  await withServers(servers, async (db, redis) => {
    for await (const finding of findings(db, redis, say)) onFinding(finding);
  });
}

/** The same, and mends what is found as it goes on (see mend). Returns how many findings were mended. */
export async function auditAndMend(
  servers: Audited,
  onFinding: (finding: Finding) => void,
  say: Say = () => {},
): Promise<number> {
  return withServers(servers, async (db, redis) => {
    let mended = 0;
    let batch: Finding[] = [];
    for await (const finding of findings(db, redis, say)) {
      onFinding(finding);
      if (batch.push(finding) < MENDED) continue;
      mended += await mend(db, redis, batch);
      batch = [];
    }
    return mended + (await mend(db, redis, batch));
  });
}

async function* findings(db: ShardDb, redis: RedisStore | undefined, say: Say): AsyncGenerator<Finding> {
  yield* auditShards(db, say);
  if (redis) yield* auditRedis(db, redis, say);
}

async function withServers<T>(
  { topology, redisUrl, redisPrefix: prefix, homeListMaxAgeMs: maxAgeMs }: Audited,
  work: (db: ShardDb, redis: RedisStore | undefined) => Promise<T>,
): Promise<T> {
  const db = new ShardDb(topology, { poolSize: 4, application: "audit", patienceMs: PATIENCE.postgres });
  const redis = redisUrl
    ? new RedisStore(redisUrl, { prefix, maxAgeMs, commandTimeoutMs: PATIENCE.redis })
    : undefined;
  try {
    await db.open();
    if (redis) await openRedis(redis);
    return await work(db, redis);
  } finally {
    await redis?.close();
    await db.close();
  }
}

/** A cluster's masters are connected to one after the other, as they are spoken to. */
async function openRedis(redis: RedisStore): Promise<void> {
  await redis.open();
  for (const deadline = Date.now() + PATIENCE.firstAnswer; !(await redis.ping()); ) {
    if (Date.now() > deadline) throw new RedisDown("Redis does not answer");
    await sleep(100);
  }
}
