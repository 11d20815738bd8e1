import type { JobResult, Lane } from "./outbox-worker.ts";
import { RedisDown } from "./redis/index.ts";
import { type ShardDb, sql, type Tx } from "./shard-db/index.ts";

export interface OutboxJob {
  id: string;
  kind: string;
  key: unknown;
  cursor: unknown;
  /** Including the one under way. */
  attempts: number;
  /** Attempts that began and never ended: the job may have killed its worker. */
  lost: number;
}

/**
 * Locks due jobs of a lane until the transaction ends, of each kind those that became due first, in the order of their ids;
 * those that another worker has are left out, and those that lie here but belong to another shard: a lock on a copy that is
 * on its way here would hold up what comes after it.
 */
export async function takeJobs(tx: Tx, { kinds, continued, batch }: Lane): Promise<OutboxJob[]> {
  // Losing this commit only repeats a job. A look at each kind by itself goes straight along its index.
  const [, rows] = await Promise.all([
    tx.query(sql`SET LOCAL synchronous_commit TO off`),
    tx.query(sql<OutboxJob>`
      SELECT id, kind, key, cursor, attempts + lost_attempts(id) + 1 AS attempts, lost_attempts(id) AS lost
      FROM unnest(${kinds}::text[]) AS wanted CROSS JOIN LATERAL (
        SELECT * FROM outbox
        WHERE kind = wanted AND num_nonnulls(cursor) = ${continued ? 1 : 0} AND run_after <= now()
          AND (SELECT owned FROM placement) @> bucket_of(id)
        ORDER BY run_after LIMIT ${batch} FOR UPDATE SKIP LOCKED) due
      ORDER BY id`),
  ]);
  return rows;
}

/** The same for one job, if it is still there and nobody else has it. */
export async function takeJob(tx: Tx, id: string): Promise<OutboxJob[]> {
  const [, rows] = await Promise.all([
    tx.query(sql`SET LOCAL synchronous_commit TO off`),
    tx.query(sql<OutboxJob>`
      SELECT id, kind, key, cursor, attempts + lost_attempts(id) + 1 AS attempts, lost_attempts(id) AS lost
      FROM outbox WHERE id = ${id} AND (SELECT owned FROM placement) @> bucket_of(id) FOR UPDATE SKIP LOCKED`),
  ]);
  return rows;
}

/**
 * Counts attempts at jobs that are taken. It commits by itself, so that the count is there whatever becomes of the worker;
 * `finish` takes it back. Not through the pool of transactions: every drain holds one of those while it waits for this.
 */
export async function countAttempts(db: ShardDb, shard: string, ids: string[]): Promise<void> {
  await db.readShard(
    shard,
    sql`INSERT INTO outbox_begun (id, times) SELECT id, 1 FROM unnest(${ids}::bigint[]) id
        ON CONFLICT (id) DO UPDATE SET times = outbox_begun.times + 1`,
  );
}

/** Stores how each job ended. */
export async function finish(tx: Tx, results: JobResult[]): Promise<void> {
  await tx.query(sql`DELETE FROM outbox_begun WHERE id = ANY(${results.map(({ job }) => job.id)})`);
  const done = results.filter(({ outcome }) => outcome === "done").map(({ job }) => job.id);
  if (done.length > 0) await tx.query(sql`DELETE FROM outbox WHERE id = ANY(${done})`);
  for (const { job, outcome, cursor, error, waitsForRedis = false } of results) {
    if (outcome === "continued") {
      await tx.query(sql`
        UPDATE outbox SET cursor = ${JSON.stringify(cursor)}, attempts = 0, run_after = clock_timestamp() WHERE id = ${job.id}`);
    } else if (outcome === "postponed") {
      await tx.query(sql`
        UPDATE outbox SET attempts = ${job.attempts - 1}, last_error = ${error},
          run_after = clock_timestamp() + interval '0.5s', waits_for_redis = waits_for_redis OR ${waitsForRedis}
        WHERE id = ${job.id}`);
    } else if (outcome === "failed") {
      await tx.query(sql`
        UPDATE outbox SET attempts = ${job.attempts}, last_error = ${error},
          run_after = clock_timestamp() + least(60, 0.25 * 2 ^ ${job.attempts}::int) * interval '1s'
        WHERE id = ${job.id}`);
    } else if (outcome === "dead") {
      await tx.query(sql`
        WITH dead AS (DELETE FROM outbox WHERE id = ${job.id} RETURNING id, kind, key, cursor)
        INSERT INTO dead_letters (id, kind, key, cursor, attempts, last_error)
        SELECT id, kind, key, cursor, ${job.attempts}, ${error} FROM dead ON CONFLICT DO NOTHING`);
    }
  }
}

/** Hands jobs to the drain whose inline attempt failed, with the reason. */
export async function retrySoon(db: ShardDb, ids: string[], error: unknown): Promise<void> {
  const reason = describeError(error);
  const waits = error instanceof RedisDown;
  await db.transactionsByIds(ids, (tx, group) =>
    tx.query(sql`
      UPDATE outbox SET run_after = now(), last_error = ${reason}, waits_for_redis = waits_for_redis OR ${waits}
      WHERE id = ANY(${group})`),
  );
}

/** An error as the outbox stores it: its name and message, within 500 characters and without what Postgres refuses. */
export function describeError(error: unknown): string {
  const text = Error.isError(error) ? `${error.name}: ${error.message}` : String(error);
  return text.replaceAll("\u0000", "").toWellFormed().slice(0, 500);
}

/** Whether no job on any shard waits for Redis to come back. Throws 503 where a shard cannot be asked. */
export async function nothingWaitsForRedis(db: ShardDb): Promise<boolean> {
  const rows = await db.readAll(sql<{ waits: boolean }>`
    SELECT EXISTS (SELECT FROM outbox
                   WHERE waits_for_redis AND (SELECT owned FROM placement) @> bucket_of(id)) AS waits`);
  return rows.every(({ waits }) => !waits);
}

/** Removes jobs whose effect was brought about inline. */
export async function removeJobs(db: ShardDb, ids: string[]): Promise<void> {
  await db.transactionsByIds(ids, async (tx, group) => {
    await tx.query(sql`SET LOCAL synchronous_commit TO off`);
    await tx.query(sql`DELETE FROM outbox WHERE id = ANY(${group})`);
  });
}

/** What a shard's outbox holds: jobs that are due and jobs that were given up, by kind. */
export async function outboxState(db: ShardDb, shard: string): Promise<{ due: Counts; dead: Counts }> {
  const [due, dead] = await Promise.all([
    db.readShard(
      shard,
      sql<Count>`
        SELECT kind, count(*) AS jobs FROM outbox
        WHERE run_after <= now() AND (SELECT owned FROM placement) @> bucket_of(id) GROUP BY kind`,
    ),
    db.readShard(
      shard,
      sql<Count>`
        SELECT kind, count(*) AS jobs FROM dead_letters
        WHERE (SELECT owned FROM placement) @> bucket_of(id) GROUP BY kind`,
    ),
  ]);
  return { due: countsOf(due), dead: countsOf(dead) };
}

interface Count {
  kind: string;
  jobs: string;
}

type Counts = Map<string, number>;

const countsOf = (rows: Count[]): Counts => new Map(rows.map(({ kind, jobs }) => [kind, Number(jobs)]));
