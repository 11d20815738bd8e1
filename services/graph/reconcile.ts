import type { RedisStore } from "../../mixins/redis/index.ts";
import type { ShardDb } from "../../mixins/shard-db/index.ts";
import type { Id } from "../contracts/users.ts";
import { type EdgeKey, mirrorEdge } from "./edges.repo.ts";

/**
 * Brings everything that follows from an edge in line with its forward row: the mirror, then what Redis holds of it.
 * Safe to run twice, late or out of order. Returns the outbox rows of follows that a block has ended, which the caller
 * reconciles too (or leaves to the outbox). Throws 503 or RedisDown where a part could not be reached.
 */
export async function reconcileEdge(
  db: ShardDb,
  redis: RedisStore | undefined,
  edge: EdgeKey,
): Promise<Id[]> {
  try {
    const { jobs } = await mirrorEdge(db, edge);
    return jobs;
  } finally {
    // Also where the mirror's shard is away: the forward row is committed, and whoever reads next must see it.
    if (redis) await redis.delete(staleKeys(redis, edge));
  }
}

/**
 * What an edge's change makes stale: deleting it is always safe, as the next reader fills it from the truth under a
 * lease. The follower's home list goes only now that the mirror is committed: a tweet whose fan-out did not see the
 * mirror yet was committed before, so the rebuild finds it.
 */
function staleKeys({ keys }: RedisStore, { src, kind, dst }: EdgeKey): string[] {
  if (kind === "mute") return [keys.muted(src)];
  if (kind === "follow") return [keys.following(src), keys.home(src)];
  if (kind === "block")
    return [keys.blocked(src), keys.blocked(dst), keys.following(src), keys.following(dst)];
  return [];
}
