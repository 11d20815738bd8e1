import { type ShardDb, sql } from "../../mixins/shard-db/index.ts";
import type { Id } from "../contracts/users.ts";
import type { Rates } from "./fanout-cost.ts";

/** An author's rates as they are stored; null before the first measurement. */
export interface RatesRow {
  seconds: number | null;
  tweets: number | null;
  read_rate: number | null;
  read_rate_alone: number | null;
  active_share: number | null;
}

/** What an author did since they were measured last. */
export interface Interval {
  seconds: number;
  /** Deleted ones do not count. */
  tweets: number;
}

/** Begins to observe an author, where nobody has yet. */
export async function beginRates(db: ShardDb, author: Id): Promise<void> {
  await db.write(
    { id: author },
    sql`INSERT INTO fanout_rates (author_id, measured_at) VALUES (${author}, clock_timestamp())
        ON CONFLICT (author_id) DO UPDATE SET measured_at = coalesce(fanout_rates.measured_at, excluded.measured_at)`,
  );
}

/**
 * Stores an author's rates, made from those that are stored and from what the author did since; nobody else changes them
 * meanwhile. Returns them; undefined where the author was not observed so far: that begins then.
 */
export async function storeRates(
  db: ShardDb,
  author: Id,
  next: (before: Rates | undefined, interval: Interval) => Rates,
): Promise<Rates | undefined> {
  const stored = await db.transaction({ id: author }, async (tx) => {
    const [row] = await tx.query(sql<RatesRow & { elapsed: number; tweeted: string }>`
      SELECT seconds, tweets, read_rate, read_rate_alone, active_share,
             extract(epoch FROM clock_timestamp() - measured_at)::float8 AS elapsed,
             (SELECT count(*) FROM tweets t WHERE t.author_id = r.author_id
              AND t.id >= ((extract(epoch FROM measured_at) * 1000)::bigint - 1288834974657) << 22) AS tweeted
      FROM fanout_rates r WHERE author_id = ${author} AND measured_at IS NOT NULL FOR UPDATE`);
    if (!row) return undefined;
    const rates = next(toRates(row), { seconds: row.elapsed, tweets: Number(row.tweeted) });
    const { seconds, tweets, readRate, readRateAlone, activeShare } = rates;
    await tx.query(sql`
      UPDATE fanout_rates SET measured_at = clock_timestamp(), seconds = ${seconds}, tweets = ${tweets},
        read_rate = ${readRate}, read_rate_alone = ${readRateAlone}, active_share = ${activeShare}
      WHERE author_id = ${author}`);
    return rates;
  });
  if (!stored) await beginRates(db, author);
  return stored;
}

/** Pulled authors of a shard who have not been measured for so many ms, at most `limit`. */
export function unmeasured(db: ShardDb, shard: string, ms: number, limit: number): Promise<{ id: Id }[]> {
  return db.readShard(
    shard,
    sql<{ id: Id }>`
      SELECT p.author_id AS id FROM pull_authors p LEFT JOIN fanout_rates r USING (author_id)
      WHERE p.state = 'pull' AND r.pinned IS NULL AND (SELECT owned FROM placement) @> bucket_of(p.author_id)
        AND greatest(p.changed_at, r.measured_at) <= now() - ${ms} * interval '1 ms'
      ORDER BY random() LIMIT ${limit}`,
  );
}

/** Rates from their row; undefined where nothing was measured. */
export function toRates(row: RatesRow): Rates | undefined {
  const { seconds, tweets, read_rate, read_rate_alone, active_share } = row;
  if (!seconds) return undefined;
  return {
    seconds,
    tweets: tweets ?? 0,
    readRate: read_rate ?? 0,
    readRateAlone: read_rate_alone ?? 0,
    activeShare: active_share ?? 0,
  };
}
