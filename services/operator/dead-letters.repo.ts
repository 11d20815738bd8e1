import { type ShardDb, sql } from "../../mixins/shard-db/index.ts";
import type { Id } from "../contracts/users.ts";

/** A job that was given up. */
export interface DeadLetter {
  id: Id;
  kind: string;
  key: unknown;
  /** How far it had come; it would go on from there. */
  cursor: unknown;
  attempts: number;
  last_error: string | null;
  died_at: Date;
}

const BATCH = 1_000;

/** The dead letters of all shards, those that died last first; at most `limit` of each shard. */
export async function deadLetters(db: ShardDb, limit: number): Promise<DeadLetter[]> {
  const rows = await db.readAll(sql<DeadLetter>`
    SELECT id, kind, key, cursor, attempts, last_error, died_at FROM dead_letters
    WHERE (SELECT owned FROM placement) @> bucket_of(id) ORDER BY died_at DESC LIMIT ${limit}`);
  return rows.sort((a, b) => b.died_at.getTime() - a.died_at.getTime());
}

/** The ids of all dead letters, or of those among `ids`. */
export async function deadLetterIds(db: ShardDb, ids?: readonly Id[]): Promise<Id[]> {
  const rows = await (ids
    ? db.readByIds(ids, (part) => sql<{ id: Id }>`SELECT id FROM dead_letters WHERE id = ANY(${part})`)
    : db.readAll(sql<{ id: Id }>`
        SELECT id FROM dead_letters WHERE (SELECT owned FROM placement) @> bucket_of(id)`));
  return rows.map(({ id }) => id);
}

/** Puts dead letters back into the outbox, as if they had never been tried. Returns how many were there to put back. */
export async function replay(db: ShardDb, ids: readonly Id[]): Promise<number> {
  let replayed = 0;
  for (let first = 0; first < ids.length; first += BATCH) {
    const moved = await db.transactionsByIds(ids.slice(first, first + BATCH), (tx, group) =>
      tx.query(sql<{ id: Id }>`
        WITH again AS (DELETE FROM dead_letters WHERE id = ANY(${group}) RETURNING id, kind, key, cursor)
        INSERT INTO outbox (id, kind, key, cursor) SELECT id, kind, key, cursor FROM again RETURNING id`),
    );
    replayed += moved.flat().length;
  }
  return replayed;
}
