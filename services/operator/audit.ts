import type { Env } from "../../config/env.ts";
import { ShardDb } from "../../mixins/shard-db/index.ts";
import type { Finding } from "./audit-findings.ts";
import { auditShards, type Say } from "./audit-shards.ts";

/** A scan of a large table takes minutes; nobody waits for it. */
const PATIENCE_MS = 15 * 60_000;

/**
 * Checks everything that is kept twice, on the servers that the environment names: edges against mirrors, follows against
 * blocks, counters against what they count, rows against the shard map, the outbox. Yields what
 * disagrees: what is merely under way, because people write meanwhile, is not a finding. Throws 503 or RedisDown where
 * something could not be checked.
 */
export async function* audit(env: Env, say: Say = () => {}): AsyncGenerator<Finding> {
  const db = new ShardDb(env.topology, { poolSize: 4, application: "audit", patienceMs: PATIENCE_MS });
  try {
    await db.open();
    yield* auditShards(db, say);
  } finally {
    await db.close();
  }
}
