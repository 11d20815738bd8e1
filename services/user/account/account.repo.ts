import { type ShardDb, sql, type Tx } from "../../../mixins/shard-db/index.ts";
import type { Id } from "../../contracts/users.ts";
import { INLINE_GRACE } from "../../graph/edges.repo.ts";

/** After this time no request is under way any more that had found an account before it was closed. */
const LAST_LOOK = "5 minutes";

/**
 * Closes an account, within a transaction on its shard, and queues the job that erases it, which it returns. Nobody finds
 * it from the commit on; nobody signs in again. Undefined where its password is another one by now.
 */
export async function closeAccount(tx: Tx, id: Id, passwordHash: string): Promise<Id | undefined> {
  const [row] = await tx.query(sql<{ job: Id }>`
    WITH locked AS (
      DELETE FROM credentials WHERE user_id = ${id} AND password_hash = ${passwordHash} RETURNING user_id
    ), closed AS (
      UPDATE users SET closed_at = now(), name = '', profile = '{}' FROM locked WHERE id = user_id RETURNING id
    )
    SELECT enqueue(bucket_of(id), 'erase', jsonb_build_object('id', id::text), ${INLINE_GRACE}) AS job FROM closed`);
  return row?.job;
}

/** Lets the job that erases an account begin: what it does first is done. */
export async function beginErasure(db: ShardDb, job: Id): Promise<void> {
  await db.write({ id: job }, sql`UPDATE outbox SET run_after = now() WHERE id = ${job}`);
}

/** Queues another look at a closed account, for what was under way when it was closed. */
export async function lookAgain(db: ShardDb, id: Id): Promise<void> {
  await db.write(
    { id },
    sql`SELECT enqueue(bucket_of(id), 'erase', jsonb_build_object('id', id::text, 'last', true), ${LAST_LOOK}::interval)
        FROM (SELECT ${id}::bigint AS id) account`,
  );
}

/** Deletes what Postgres keeps of a user beside tweets, edges and the account itself. Returns whether they were pulled. */
export async function deleteRemains(db: ShardDb, id: Id): Promise<{ pulled: boolean }> {
  return db.transaction({ id }, async (tx) => {
    await tx.query(sql`DELETE FROM idempotency_keys WHERE user_id = ${id}`);
    await tx.query(sql`DELETE FROM fanout_rates WHERE author_id = ${id}`);
    await tx.query(sql`DELETE FROM authorization_codes WHERE user_id = ${id}`);
    await tx.query(sql`DELETE FROM stream_rules WHERE owner = ${`user:${id}`}`);
    // A counter that is not zero, or not folded, has edges or tweets that are still to be erased.
    await tx.query(sql`
      DELETE FROM counters WHERE subject = ${id} AND value = 0
        AND NOT EXISTS (SELECT FROM counter_deltas WHERE subject = ${id})`);
    const pulled = await tx.query(sql<{ author_id: Id }>`
      DELETE FROM pull_authors WHERE author_id = ${id} RETURNING author_id`);
    return { pulled: pulled.length > 0 };
  });
}
