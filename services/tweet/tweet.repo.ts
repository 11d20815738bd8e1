import { hash } from "node:crypto";
import { limits } from "../../config/limits.ts";
import { bucketOf, idTime } from "../../mixins/shard-db/ids.ts";
import { type ReadOptions, type ShardDb, sql, type Tx } from "../../mixins/shard-db/index.ts";
import type { Id, Tweet, TweetEntities } from "../contracts/actions.ts";
import { RoostError } from "../contracts/errors.ts";

export interface TweetRow {
  id: Id;
  author_id: Id;
  text: string;
  entities: TweetEntities | null;
}

export interface NewTweet {
  author_id: Id;
  text: string;
  entities: TweetEntities;
  idempotency_key?: string;
}

/** A stored row as a tweet. */
export function toTweet({ id, author_id, text, entities }: TweetRow): Tweet {
  return { id, author_id, text, created_at: idTime(id), ...(entities ? { entities } : {}) };
}

const insert = ({ author_id, text, entities }: NewTweet) => sql<TweetRow & { job: Id }>`
  WITH made AS (
    INSERT INTO tweets (id, author_id, text, entities)
    VALUES (next_id(${bucketOf(author_id)}), ${author_id}, ${text},
            nullif(${JSON.stringify(entities)}::jsonb, '{}'))
    RETURNING id, author_id, text, entities
  )
  SELECT id, author_id, text, entities,
         enqueue(bucket_of(id), 'tweet', jsonb_build_object('id', id::text)) AS job, count_delta(author_id, 'tweets', 1)
  FROM made`;

export interface Inserted {
  tweet: Tweet;
  /** Its fan-out job; undefined where an earlier request with the same key has queued it. */
  job: Id | undefined;
}

/**
 * Stores a tweet, its counter and its fan-out job in one transaction. With an idempotency key the same text gives the
 * tweet that the key made first. Throws 422 where the key came with another text.
 */
export async function insertTweet(db: ShardDb, tweet: NewTweet): Promise<Inserted> {
  const { author_id, idempotency_key } = tweet;
  if (idempotency_key === undefined) {
    return inserted(await db.write({ id: author_id }, insert(tweet)));
  }
  return db.transaction({ id: author_id }, async (tx) => {
    const known = await takeKey(tx, tweet, idempotency_key);
    if (known) return { tweet: known, job: undefined };
    const made = inserted(await tx.query(insert(tweet)));
    await tx.query(sql`
      UPDATE idempotency_keys SET tweet_id = ${made.tweet.id} WHERE user_id = ${author_id} AND key = ${idempotency_key}`);
    return made;
  });
}

function inserted([row]: (TweetRow & { job: Id })[]): Inserted {
  if (!row) throw new Error("an INSERT without a conflict clause returned no row");
  return { tweet: toTweet(row), job: row.job };
}

/** Claims the key for this transaction; the tweet it made before, if any. A racing request waits here for the first. */
async function takeKey(tx: Tx, { author_id, text }: NewTweet, key: string): Promise<Tweet | undefined> {
  const body = hash("sha256", text, "buffer");
  const claimed = await tx.query(sql<{ key: string }>`
    INSERT INTO idempotency_keys (user_id, key, body_hash, tweet_id) VALUES (${author_id}, ${key}, ${body}, 0)
    ON CONFLICT (user_id, key) DO UPDATE SET body_hash = excluded.body_hash, created_at = now()
      WHERE idempotency_keys.created_at < now() - ${limits.idempotencyMs} * interval '1 ms'
    RETURNING key`);
  if (claimed.length > 0) return undefined;
  const [known] = await tx.query(sql<{ tweet_id: Id; same: boolean; entities: TweetEntities | null }>`
    SELECT k.tweet_id, k.body_hash = ${body} AS same, t.entities
    FROM idempotency_keys k LEFT JOIN tweets t ON t.id = k.tweet_id
    WHERE k.user_id = ${author_id} AND k.key = ${key}`);
  if (!known?.same) {
    throw new RoostError("UNPROCESSABLE", "This Idempotency-Key was used for another tweet.", {
      errors: [{ message: "was used with another body", parameters: { "Idempotency-Key": [key] } }],
    });
  }
  return toTweet({ id: known.tweet_id, author_id, text, entities: known.entities });
}

/** The author of a tweet, from the primary; undefined where there is none. */
export async function authorOf(db: ShardDb, id: Id): Promise<Id | undefined> {
  const [row] = await db.read({ id }, sql<{ author_id: Id }>`SELECT author_id FROM tweets WHERE id = ${id}`);
  return row?.author_id;
}

/** Removes a tweet with its counter, and queues the job that makes the rest follow, which it returns; none if it was gone. */
export async function deleteTweet(db: ShardDb, id: Id, author: Id): Promise<Id | undefined> {
  const rows = await db.write(
    { id },
    sql<{ job: Id }>`
      WITH gone AS (DELETE FROM tweets WHERE id = ${id} AND author_id = ${author} RETURNING id, author_id)
      SELECT enqueue(bucket_of(id), 'tweet', jsonb_build_object('id', id::text)) AS job, count_delta(author_id, 'tweets', -1)
      FROM gone`,
  );
  return rows[0]?.job;
}

/** The tweets that exist among `ids`, in no particular order. */
export function tweetsByIds(db: ShardDb, ids: readonly Id[], options: ReadOptions = {}): Promise<TweetRow[]> {
  return db.readByIds(
    ids,
    (part) => sql<TweetRow>`SELECT id, author_id, text, entities FROM tweets WHERE id = ANY(${part})`,
    options,
  );
}

/** Which of `ids` exist, from the primaries. */
export function existingIds(db: ShardDb, ids: readonly Id[]): Promise<{ id: Id }[]> {
  return db.readByIds(ids, (part) => sql<{ id: Id }>`SELECT id FROM tweets WHERE id = ANY(${part})`);
}

/** Forgets idempotency keys that are past their time, a batch a shard. */
export async function purgeIdempotencyKeys(db: ShardDb, shard: string): Promise<void> {
  await db.transactionOn(shard, async (tx) => {
    const old = await tx.query(sql<{ user_id: Id; key: string }>`
      SELECT user_id, key FROM idempotency_keys
      WHERE created_at < now() - ${limits.idempotencyMs} * interval '1 ms' LIMIT 5000 FOR UPDATE SKIP LOCKED`);
    if (old.length === 0) return;
    await tx.enter(old.map(({ user_id }) => user_id));
    await tx.query(sql`
      DELETE FROM idempotency_keys USING unnest(${old.map((row) => row.user_id)}::bigint[], ${old.map((row) => row.key)}::text[])
        AS gone (user_id, key)
      WHERE idempotency_keys.user_id = gone.user_id AND idempotency_keys.key = gone.key`);
  });
}
