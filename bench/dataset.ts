import pg from "pg";
import { readTopologyFile } from "../config/topology.ts";
import { bucketOfHandle } from "../mixins/shard-db/ids.ts";
import { makeToken, parseToken } from "../services/user/sessions/tokens.ts";

/** A user with a session. */
export interface Account {
  id: string;
  token: string;
}

/**
 * Fills the one shard of a single topology through SQL: thousands of users a second, where sign-ups with their password
 * hashes take dozens. For data that is there before the measurement starts; nothing here passes the fence.
 */
export class Dataset {
  readonly #pool: pg.Pool;

  constructor(topologyFile: string) {
    const [shard, ...others] = readTopologyFile(topologyFile).shards;
    if (!shard || others.length > 0) throw new Error("benchmarks run on a single shard");
    this.#pool = new pg.Pool({ connectionString: shard.primary, max: 2 });
  }

  close(): Promise<void> {
    return this.#pool.end();
  }

  /** Users whose names start with `prefix` (up to 8 characters), each with a session of a day. */
  async users(prefix: string, count: number): Promise<Account[]> {
    const names = Array.from({ length: count }, (_, i) => `${prefix}${i}`);
    const buckets = names.map(bucketOfHandle);
    const tokens = buckets.map((bucket) => makeToken("access", bucket));
    const hashes = tokens.map((token) => Buffer.from(parseToken("access", token)?.hash ?? "", "base64url"));
    const { rows } = await this.#pool.query<{ id: string; n: string }>(
      `WITH wanted AS (
         SELECT * FROM unnest($1::text[], $2::int[], $3::bytea[]) WITH ORDINALITY AS w (name, bucket, hash, n)
       ), made AS (
         INSERT INTO users (id, username, name) SELECT next_id(bucket), name, name FROM wanted RETURNING id, username
       ), open AS (
         INSERT INTO sessions (bucket, user_id, access_hash, access_expires, refresh_hash, refresh_expires)
         SELECT bucket, id, hash, now() + interval '1 day', sha256(hash), now() + interval '1 day'
         FROM made JOIN wanted ON wanted.name = made.username
       )
       SELECT made.id, wanted.n FROM made JOIN wanted ON wanted.name = made.username ORDER BY wanted.n`,
      [names, buckets, hashes],
    );
    return rows.map(({ id }, i) => ({ id, token: tokens[i] ?? "" }));
  }

  /** Follows, with their mirrors and counters. */
  async follows(pairs: (readonly [follower: Account, followee: Account])[]): Promise<void> {
    await this.#pool.query(
      `WITH made AS (
         INSERT INTO edges (src, kind, dst, id)
         SELECT src, 'follow', dst, next_id(bucket_of(src)) FROM unnest($1::bigint[], $2::bigint[]) AS f (src, dst)
         RETURNING src, kind, dst, id
       ), mirrored AS (
         INSERT INTO inverse_edges (dst, kind, src_bucket, src, id) SELECT dst, kind, bucket_of(src), src, id FROM made
       ), following AS (
         INSERT INTO counters SELECT src, 'following', count(*) FROM made GROUP BY src
       )
       INSERT INTO counters SELECT dst, 'followers', count(*) FROM made GROUP BY dst`,
      [pairs.map(([follower]) => follower.id), pairs.map(([, followee]) => followee.id)],
    );
  }

  /** So many followers of one author, of whom there is nothing but their ids and mirrors. Returns the ids. */
  async ghostFollowers(author: { id: string }, count: number): Promise<string[]> {
    const { rows } = await this.#pool.query<{ src: string }>(
      `INSERT INTO inverse_edges (dst, kind, src_bucket, src, id)
       SELECT $1::bigint, 'follow', bucket_of(src), src, next_id(bucket_of(src))
       FROM (SELECT next_id(n % 1024) AS src FROM generate_series(1, $2::int) n) ghosts RETURNING src`,
      [author.id, count],
    );
    return rows.map(({ src }) => src);
  }

  /** So many tweets by each author, without any fan-out. */
  async tweets(authors: Account[], each: number, text: string): Promise<void> {
    await this.#insertTweets(authors, each, text, false);
  }

  /** The same with their fan-out jobs, all of them committed at one moment. */
  async tweetsWithJobs(authors: Account[], each: number, text: string): Promise<void> {
    await this.#insertTweets(authors, each, text, true);
  }

  /**
   * Tweets of the last 6 days, 12 words each, drawn after Zipf's law from a vocabulary w1, w2, …; without any fan-out.
   * Postgres knows their statistics then.
   */
  async corpus(
    authors: Account[],
    { tweets, vocabulary }: { tweets: number; vocabulary: number },
  ): Promise<void> {
    await this.#pool.query(
      `INSERT INTO tweets (id, author_id, text)
       SELECT (next_id(bucket_of(author)) - ((n::bigint * 518400000 / $2) << 22)), author,
              (SELECT string_agg('w' || floor(exp(random() * ln($3::float8)))::int, ' ') FROM generate_series(1, 12) WHERE n > 0)
       FROM (SELECT n, ($1::bigint[])[1 + n % cardinality($1::bigint[])] AS author FROM generate_series(1, $2::int) n) wanted`,
      [authors.map(({ id }) => id), tweets, vocabulary],
    );
    await this.#pool.query("VACUUM ANALYZE tweets");
  }

  /** Fan-out jobs that are not done. */
  async pendingTweetJobs(): Promise<number> {
    const { rows } = await this.#pool.query<{ n: string }>(
      "SELECT count(*) AS n FROM outbox WHERE kind = 'tweet'",
    );
    return Number(rows[0]?.n);
  }

  /** Whether a tweet's fan-out is not done. */
  async isTweetPending(id: string): Promise<boolean> {
    const { rowCount } = await this.#pool.query(
      "SELECT FROM outbox WHERE kind = 'tweet' AND key = jsonb_build_object('id', $1::text)",
      [id],
    );
    return rowCount !== 0;
  }

  /** The ids of the newest tweets that anybody follows the author of. */
  async newestTweets(count: number): Promise<string[]> {
    const { rows } = await this.#pool.query<{ id: string }>(
      `SELECT id FROM tweets WHERE EXISTS (SELECT FROM inverse_edges WHERE dst = author_id AND kind = 'follow')
       ORDER BY id DESC LIMIT $1`,
      [count],
    );
    return rows.map(({ id }) => id);
  }

  async #insertTweets(authors: Account[], each: number, text: string, withJobs: boolean): Promise<void> {
    await this.#pool.query(
      `WITH made AS (
         INSERT INTO tweets (id, author_id, text)
         SELECT next_id(bucket_of(author)), author, $2 FROM generate_series(1, $3::int), unnest($1::bigint[]) author
         RETURNING id
       )
       SELECT count(enqueue(bucket_of(id), 'tweet', jsonb_build_object('id', id::text))) FROM made WHERE $4`,
      [authors.map(({ id }) => id), text, each, withJobs],
    );
  }
}
