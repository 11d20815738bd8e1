import { limits } from "../../../config/limits.ts";
import { ID_EPOCH_MS } from "../../../mixins/shard-db/ids.ts";
import { type ShardDb, sql } from "../../../mixins/shard-db/index.ts";
import type { ShardFeed } from "../../contracts/search.ts";
import type { Id } from "../../contracts/users.ts";

/**
 * What one shard's primary has had since a position: first what is up to `overlapMs` older, then what is newer, at most
 * `limits.streams.batch` of it, in the order of the ids. The new position is where the shard's own clock is, or the last id
 * where there is more.
 */
export async function feedOf(
  db: ShardDb,
  shard: string,
  position: Id | undefined,
  overlapMs: number,
): Promise<ShardFeed & { more: boolean }> {
  const { batch } = limits.streams;
  const [row] = await db.readShard(
    shard,
    sql<{ now: Id; late: Id[]; fresh: Id[] }>`
      WITH clock AS (SELECT ((extract(epoch FROM clock_timestamp()) * 1000)::bigint - ${ID_EPOCH_MS}::bigint) << 22 AS now),
      asked AS (SELECT now, coalesce(${position ?? null}::bigint, now) AS position, owned FROM clock, placement)
      SELECT greatest(now, position) AS now,
        ARRAY(SELECT id::text FROM tweets WHERE id > position - (${overlapMs}::bigint << 22) AND id <= position
                AND owned @> bucket_of(id) ORDER BY id) AS late,
        ARRAY(SELECT id::text FROM tweets WHERE id > position AND owned @> bucket_of(id) ORDER BY id LIMIT ${batch}) AS fresh
      FROM asked`,
  );
  if (!row) throw new Error("a SELECT without a condition returned no row");
  const { now, late, fresh } = row;
  const more = fresh.length === batch;
  const last = fresh.at(-1);
  return { ids: [...late, ...fresh], position: more && last ? last : now, more };
}
