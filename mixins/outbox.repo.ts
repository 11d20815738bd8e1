import type { JobResult } from "./outbox.ts";
import { RedisDown } from "./redis/index.ts";
import { type ShardDb, sql, type Tx } from "./shard-db/index.ts";

export interface OutboxJob {
  id: string;
  kind: string;
  key: unknown;
  cursor: unknown;
  /** Including the one under way. */
  attempts: number;
}

/** Due jobs, of each kind in the order they became due, locked. `suspect`: an earlier attempt never came back. */
export async function dueJobs(
  tx: Tx,
  kinds: string[],
  limit: number,
): Promise<{ id: string; suspect: boolean }[]> {
  // Losing this commit only repeats a job. A look at each kind by itself goes straight along its index.
  const [, rows] = await Promise.all([
    tx.query(sql`SET LOCAL synchronous_commit TO off`),
    tx.query(sql<{ id: string; suspect: boolean }>`
      SELECT due.id, due.suspect FROM unnest(${kinds}::text[]) AS wanted CROSS JOIN LATERAL (
        SELECT id, attempts > 0 AND last_error IS NULL AS suspect FROM outbox
        WHERE kind = wanted AND run_after <= now() ORDER BY run_after LIMIT ${limit} FOR UPDATE SKIP LOCKED) due`),
  ]);
  return rows;
}

export async function markAttempt(tx: Tx, ids: string[]): Promise<void> {
  await tx.query(sql`UPDATE outbox SET attempts = attempts + 1, last_error = NULL WHERE id = ANY(${ids})`);
}

/** Locks jobs for as long as they are worked on; those that another worker has are left out. */
export async function lockJobs(tx: Tx, ids: string[]): Promise<OutboxJob[]> {
  const [, rows] = await Promise.all([
    tx.query(sql`SET LOCAL synchronous_commit TO off`),
    tx.query(sql<OutboxJob>`
      SELECT id, kind, key, cursor, attempts FROM outbox WHERE id = ANY(${ids}) ORDER BY id FOR UPDATE SKIP LOCKED`),
  ]);
  return rows;
}

/** Stores how each job ended. */
export async function finish(tx: Tx, results: JobResult[]): Promise<void> {
  const done = results.filter(({ outcome }) => outcome === "done").map(({ job }) => job.id);
  if (done.length > 0) await tx.query(sql`DELETE FROM outbox WHERE id = ANY(${done})`);
  for (const { job, outcome, cursor, error, waitsForRedis = false } of results) {
    if (outcome === "continued") {
      await tx.query(sql`
        UPDATE outbox SET cursor = ${JSON.stringify(cursor)}, attempts = 0, run_after = clock_timestamp() WHERE id = ${job.id}`);
    } else if (outcome === "postponed") {
      await tx.query(sql`
        UPDATE outbox SET attempts = attempts - 1, last_error = ${error}, run_after = clock_timestamp() + interval '0.5s',
          waits_for_redis = waits_for_redis OR ${waitsForRedis}
        WHERE id = ${job.id}`);
    } else if (outcome === "failed") {
      await tx.query(sql`
        UPDATE outbox SET last_error = ${error},
          run_after = clock_timestamp() + least(60, 0.25 * 2 ^ attempts) * interval '1s' WHERE id = ${job.id}`);
    } else if (outcome === "dead") {
      await tx.query(sql`
        WITH dead AS (DELETE FROM outbox WHERE id = ${job.id} RETURNING id, kind, key, cursor, attempts)
        INSERT INTO dead_letters (id, kind, key, cursor, attempts, last_error)
        SELECT id, kind, key, cursor, attempts, ${error} FROM dead ON CONFLICT DO NOTHING`);
    }
  }
}

/** Hands jobs to the drain whose inline attempt failed, with the reason. */
export async function retrySoon(db: ShardDb, ids: string[], error: unknown): Promise<void> {
  const reason = describeError(error);
  const waits = error instanceof RedisDown;
  for (const [shard, group] of db.router.group(ids)) {
    await db.transactionOn(shard, async (tx) => {
      await tx.enter(group);
      await tx.query(sql`
        UPDATE outbox SET run_after = now(), last_error = ${reason}, waits_for_redis = waits_for_redis OR ${waits}
        WHERE id = ANY(${group})`);
    });
  }
}

/** An error as the outbox stores it: its name and message, within 500 characters and without what Postgres refuses. */
export function describeError(error: unknown): string {
  const text = Error.isError(error) ? `${error.name}: ${error.message}` : String(error);
  return text.replaceAll("\u0000", "").toWellFormed().slice(0, 500);
}

/** Whether no job on any shard waits for Redis to come back. Throws 503 where a shard cannot be asked. */
export async function nothingWaitsForRedis(db: ShardDb): Promise<boolean> {
  const rows = await db.readAll(sql<{ waits: boolean }>`
    SELECT EXISTS (SELECT FROM outbox WHERE waits_for_redis) AS waits`);
  return rows.every(({ waits }) => !waits);
}

/** Removes jobs whose effect was brought about inline. */
export async function removeJobs(db: ShardDb, ids: string[]): Promise<void> {
  for (const [shard, group] of db.router.group(ids)) {
    await db.transactionOn(shard, async (tx) => {
      await tx.enter(group);
      await tx.query(sql`SET LOCAL synchronous_commit TO off`);
      await tx.query(sql`DELETE FROM outbox WHERE id = ANY(${group})`);
    });
  }
}

export function outboxDepth(db: ShardDb, shard: string): Promise<{ kind: string; jobs: string }[]> {
  return db.readShard(
    shard,
    sql<{
      kind: string;
      jobs: string;
    }>`SELECT kind, count(*) jobs FROM outbox WHERE run_after <= now() GROUP BY kind`,
  );
}

/** Jobs that were given up, newest first. */
export function deadLetters(db: ShardDb): Promise<(OutboxJob & { last_error: string | null })[]> {
  return db.readAll(sql<OutboxJob & { last_error: string | null }>`
    SELECT id, kind, key, cursor, attempts, last_error FROM dead_letters ORDER BY died_at DESC LIMIT 1000`);
}
