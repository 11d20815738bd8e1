import { hash } from "node:crypto";
import { limits } from "../../config/limits.ts";
import { bucketOf, idTime } from "../../mixins/shard-db/ids.ts";
import { type ReadOptions, type ShardDb, sql, type Tx } from "../../mixins/shard-db/index.ts";
import { RoostError } from "../contracts/errors.ts";
import type { ReplySettings, Tweet, TweetEntities, TweetReference } from "../contracts/tweets.ts";
import type { Id } from "../contracts/users.ts";
import { type EdgeKey, INLINE_GRACE } from "../graph/edges.repo.ts";
import { edgesOf } from "./references.ts";

export interface TweetRow {
  id: Id;
  author_id: Id;
  text: string;
  entities: TweetEntities | null;
  referenced_tweets: TweetReference[] | null;
  conversation_id: Id | null;
  lang: string;
  reply_settings: ReplySettings | null;
}

export interface NewTweet {
  author_id: Id;
  text: string;
  entities: TweetEntities;
  /** What it replies to and quotes. */
  references: TweetReference[];
  /** Of the tweet it replies to. */
  conversation_id: Id | undefined;
  /** BCP 47. */
  lang: string;
  reply_settings?: ReplySettings;
  idempotency_key?: string;
}

/** An edge that a change of a tweet has made or ended, and the outbox row that covers its effects. */
export interface ChangedEdge {
  edge: EdgeKey;
  job: Id;
}

/** A stored row as a tweet. */
export function toTweet(row: TweetRow): Tweet {
  const { id, author_id, text, entities, referenced_tweets, conversation_id, lang, reply_settings } = row;
  return {
    id,
    author_id,
    text,
    created_at: idTime(id),
    conversation_id: conversation_id ?? id,
    lang,
    ...(entities ? { entities } : {}),
    ...(referenced_tweets ? { referenced_tweets } : {}),
    ...(reply_settings ? { reply_settings } : {}),
  };
}

interface InsertedRow extends TweetRow {
  job: Id;
  edges: ChangedEdge[] | null;
}

const insert = (tweet: NewTweet) => {
  const {
    author_id,
    text,
    entities,
    references,
    conversation_id = null,
    lang,
    reply_settings = null,
  } = tweet;
  const edges = edgesOf(references, entities);
  return sql<InsertedRow>`
  WITH made AS (
    INSERT INTO tweets (id, author_id, text, entities, referenced_tweets, conversation_id, lang, reply_settings)
    SELECT next_id(${bucketOf(author_id)}), ${author_id}::bigint, ${text}::text,
           nullif(${JSON.stringify(entities)}::jsonb, '{}'), nullif(${JSON.stringify(references)}::jsonb, '[]'),
           ${conversation_id}::bigint, ${lang}::text, ${reply_settings}::text
    WHERE NOT is_closed(${author_id})
    RETURNING id, author_id, text, entities, referenced_tweets, conversation_id, lang, reply_settings
  ), linked AS (
    INSERT INTO edges (src, kind, dst, id)
    SELECT made.id, link.kind::edge_kind, link.dst, made.id
    FROM made, unnest(${edges.map(({ kind }) => kind)}::text[], ${edges.map(({ dst }) => dst)}::bigint[]) AS link (kind, dst)
    RETURNING bucket_of(src) AS bucket, jsonb_build_object('src', src::text, 'kind', kind, 'dst', dst::text) AS edge
  )
  SELECT id, author_id, text, entities, referenced_tweets, conversation_id, lang, reply_settings,
         enqueue(bucket_of(id), 'tweet', jsonb_build_object('id', id::text)) AS job, count_delta(author_id, 'tweets', 1),
         (SELECT jsonb_agg(jsonb_build_object('edge', edge, 'job', enqueue(bucket, 'edge', edge, ${INLINE_GRACE})::text))
          FROM linked) AS edges
  FROM made`;
};

export interface Inserted {
  tweet: Tweet;
  /** Its fan-out job; undefined where an earlier request has queued it. */
  job: Id | undefined;
  edges: ChangedEdge[];
}

/**
 * Stores a tweet, its edges, its counter and its jobs in one transaction. With an idempotency key the same tweet gives
 * the one that the key made first. Throws 422 where the key came with another tweet.
 */
export async function insertTweet(db: ShardDb, tweet: NewTweet): Promise<Inserted> {
  const { author_id, idempotency_key } = tweet;
  if (idempotency_key === undefined) {
    return inserted(await db.write({ id: author_id }, insert(tweet)));
  }
  return db.transaction({ id: author_id }, async (tx) => {
    const known = await takeKey(tx, tweet, idempotency_key);
    if (known) return { tweet: known, job: undefined, edges: [] };
    const made = inserted(await tx.query(insert(tweet)));
    await tx.query(sql`
      UPDATE idempotency_keys SET tweet_id = ${made.tweet.id} WHERE user_id = ${author_id} AND key = ${idempotency_key}`);
    return made;
  });
}

function inserted([row]: InsertedRow[]): Inserted {
  if (!row) throw new RoostError("UNAUTHORIZED", "This account was deleted.");
  return { tweet: toTweet(row), job: row.job, edges: row.edges ?? [] };
}

/** Claims the key for this transaction; the tweet it made before, if any. A racing request waits here for the first. */
async function takeKey(tx: Tx, tweet: NewTweet, key: string): Promise<Tweet | undefined> {
  const { author_id, text, references, reply_settings } = tweet;
  const body = hash(
    "sha256",
    [
      text,
      ...references.map(({ type, id }) => `${type} ${id}`),
      ...(reply_settings ? [reply_settings] : []),
    ].join("\0"),
    "buffer",
  );
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
  return toTweet({
    id: known.tweet_id,
    author_id,
    text,
    entities: known.entities,
    referenced_tweets: references.length > 0 ? references : null,
    conversation_id: tweet.conversation_id ?? null,
    lang: tweet.lang,
    reply_settings: reply_settings ?? null,
  });
}

/** A retweet to be: of an original that is none itself. */
export interface NewRetweet {
  author_id: Id;
  original: Tweet;
  text: string;
  entities: TweetEntities;
}

/** Stores a retweet with its edge, its counter and its jobs in one transaction; undefined where there is one already. */
export async function insertRetweet(db: ShardDb, retweet: NewRetweet): Promise<Inserted | undefined> {
  const { author_id, original, text, entities } = retweet;
  const reference: TweetReference = { type: "retweeted", id: original.id, author_id: original.author_id };
  const edge: EdgeKey = { src: author_id, kind: "retweet", dst: original.id };
  const [row] = await db.write(
    { id: author_id },
    sql<TweetRow & { job: Id; edge_job: Id }>`
      WITH edge AS (
        INSERT INTO edges (src, kind, dst, id)
        SELECT ${author_id}::bigint, 'retweet', ${original.id}::bigint, next_id(${bucketOf(author_id)})
        WHERE NOT is_closed(${author_id})
        ON CONFLICT DO NOTHING RETURNING id, src
      ), made AS (
        INSERT INTO tweets (id, author_id, text, entities, referenced_tweets, lang)
        SELECT id, src, ${text}, ${JSON.stringify(entities)}::jsonb, ${JSON.stringify([reference])}::jsonb, ${original.lang} FROM edge
        RETURNING id, author_id, text, entities, referenced_tweets, conversation_id, lang, reply_settings
      )
      SELECT id, author_id, text, entities, referenced_tweets, conversation_id, lang, reply_settings,
             enqueue(bucket_of(id), 'tweet', jsonb_build_object('id', id::text)) AS job, count_delta(author_id, 'tweets', 1),
             enqueue(bucket_of(id), 'edge', ${JSON.stringify(edge)}, ${INLINE_GRACE}) AS edge_job
      FROM made`,
  );
  return row && { tweet: toTweet(row), job: row.job, edges: [{ edge, job: row.edge_job }] };
}

/** The id of a user's retweet of an original, from the primary; undefined where there is none. */
export async function retweetOf(db: ShardDb, author: Id, original: Id): Promise<Id | undefined> {
  const [row] = await db.read(
    { id: author },
    sql<{ id: Id }>`SELECT id FROM edges WHERE src = ${author} AND kind = 'retweet' AND dst = ${original}`,
  );
  return row?.id;
}

/** A tweet as it is now, from the primary; undefined where there is none. */
export async function tweetNow(db: ShardDb, id: Id): Promise<Tweet | undefined> {
  const [row] = await tweetsByIds(db, [id]);
  return row && toTweet(row);
}

/**
 * Removes a tweet with its edges and its counter, and queues the jobs that make the rest follow, which it returns;
 * undefined where it was gone.
 */
export async function deleteTweet(
  db: ShardDb,
  id: Id,
  author: Id,
): Promise<{ job: Id; edges: ChangedEdge[] } | undefined> {
  const [row] = await db.write(
    { id },
    sql<{ job: Id; edges: ChangedEdge[] | null }>`
      WITH gone AS (
        DELETE FROM tweets WHERE id = ${id} AND author_id = ${author} RETURNING id, author_id, referenced_tweets
      ), unlinked AS (
        DELETE FROM edges USING gone WHERE edges.src = gone.id RETURNING edges.src, edges.kind, edges.dst
      ), undone AS (
        DELETE FROM edges USING gone
        WHERE gone.referenced_tweets -> 0 ->> 'type' = 'retweeted' AND edges.src = gone.author_id AND edges.kind = 'retweet'
          AND edges.dst = (gone.referenced_tweets -> 0 ->> 'id')::bigint AND edges.id = gone.id
        RETURNING edges.src, edges.kind, edges.dst
      ), cut AS (
        SELECT jsonb_build_object('src', src::text, 'kind', kind, 'dst', dst::text) AS edge
        FROM (SELECT * FROM unlinked UNION ALL SELECT * FROM undone) ended
      )
      SELECT enqueue(bucket_of(id), 'tweet', jsonb_build_object('id', id::text)) AS job, count_delta(author_id, 'tweets', -1),
             (SELECT jsonb_agg(jsonb_build_object('edge', edge, 'job', enqueue(bucket_of(id), 'edge', edge, ${INLINE_GRACE})::text))
              FROM cut) AS edges
      FROM gone`,
  );
  return row && { job: row.job, edges: row.edges ?? [] };
}

/** Some tweets of an author after one of them, oldest first, also where the account is closed. */
export async function tweetIdsOf(db: ShardDb, author: Id, after: Id, limit: number): Promise<Id[]> {
  const rows = await db.read(
    { id: author },
    sql<{
      id: Id;
    }>`SELECT id FROM tweets WHERE author_id = ${author} AND id > ${after} ORDER BY id LIMIT ${limit}`,
  );
  return rows.map(({ id }) => id);
}

/** The tweets that exist among `ids`, in no particular order: not those of closed accounts. */
export function tweetsByIds(db: ShardDb, ids: readonly Id[], options: ReadOptions = {}): Promise<TweetRow[]> {
  return db.readByIds(
    ids,
    (part) => sql<TweetRow>`
      SELECT id, author_id, text, entities, referenced_tweets, conversation_id, lang, reply_settings FROM tweets
      WHERE id = ANY(${part}) AND NOT is_closed(author_id)`,
    options,
  );
}

/** Which of `ids` exist, from the primaries. */
export function existingIds(db: ShardDb, ids: readonly Id[]): Promise<{ id: Id }[]> {
  return db.readByIds(
    ids,
    (part) => sql<{ id: Id }>`SELECT id FROM tweets WHERE id = ANY(${part}) AND NOT is_closed(author_id)`,
    { partial: true },
  );
}

/** How often a tweet was engaged with, by counter; what nobody did is left out. */
export function tweetCounts(
  db: ShardDb,
  ids: readonly Id[],
): Promise<{ id: Id; name: string; count: string }[]> {
  return db.readByIds(
    ids,
    (part) => sql<{ id: Id; name: string; count: string }>`
      SELECT subject AS id, name, sum(value) AS count FROM (
        SELECT subject, name, value FROM counters WHERE subject = ANY(${part})
        UNION ALL SELECT subject, name, delta FROM counter_deltas WHERE subject = ANY(${part})) counted
      GROUP BY subject, name`,
    { from: "session", partial: true },
  );
}

/** Forgets idempotency keys that are past their time, a batch a shard. */
export async function purgeIdempotencyKeys(db: ShardDb, shard: string): Promise<void> {
  await db.transactionOn(shard, async (tx) => {
    const old = await tx.query(sql<{ user_id: Id; key: string }>`
      SELECT user_id, key FROM idempotency_keys
      WHERE created_at < now() - ${limits.idempotencyMs} * interval '1 ms'
        AND (SELECT owned FROM placement) @> bucket_of(user_id)
      LIMIT 5000 FOR UPDATE SKIP LOCKED`);
    if (old.length === 0) return;
    await tx.enter(old.map(({ user_id }) => user_id));
    await tx.query(sql`
      DELETE FROM idempotency_keys USING unnest(${old.map((row) => row.user_id)}::bigint[], ${old.map((row) => row.key)}::text[])
        AS gone (user_id, key)
      WHERE idempotency_keys.user_id = gone.user_id AND idempotency_keys.key = gone.key`);
  });
}
