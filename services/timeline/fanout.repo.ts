import { bucketOf } from "../../mixins/shard-db/ids.ts";
import { type ShardDb, sql } from "../../mixins/shard-db/index.ts";
import type { Tweet } from "../contracts/tweets.ts";
import type { Id } from "../contracts/users.ts";
import { type TweetRow, toTweet } from "../tweet/tweet.repo.ts";
import type { Author, FanoutMode, Wanted } from "./fanout-policy.ts";
import { type RatesRow, toRates } from "./fanout-rates.repo.ts";

/** Where a page of followers ends: they are ordered by bucket, so that a page is grouped by Redis partition. */
export interface FollowerCursor {
  bucket: number;
  src: Id;
}

/** A tweet as its fan-out sees it now. */
export interface TweetNow {
  tweet: Tweet;
  author: Author;
}

/** Tweets in the order of their ids; undefined where one was deleted. */
export async function tweetsNow(db: ShardDb, ids: Id[]): Promise<(TweetNow | undefined)[]> {
  const rows = await db.readByIds(
    ids,
    (part) => sql<TweetRow & AuthorRow>`
      SELECT t.id, t.author_id, t.text, t.entities, t.referenced_tweets, t.conversation_id, t.lang, t.reply_settings,
             p.state AS mode, r.pinned, r.seconds, r.tweets, r.read_rate, r.read_rate_alone, r.active_share,
             extract(epoch FROM now() - r.measured_at)::float8 AS measured_ago,
             counter_value(t.author_id, 'followers') AS followers
      FROM tweets t LEFT JOIN pull_authors p USING (author_id) LEFT JOIN fanout_rates r USING (author_id)
      WHERE t.id = ANY(${part}) AND NOT is_closed(t.author_id)`,
  );
  const found = new Map(rows.map((row) => [row.id, { tweet: toTweet(row), author: toAuthor(row) }]));
  return ids.map((id) => found.get(id));
}

/** The first followers of each author, at most `limit`, in the order of the authors. */
export async function firstFollowers(db: ShardDb, authors: Id[], limit: number): Promise<FollowerCursor[][]> {
  const rows = await db.readByIds(
    authors,
    (part) => sql<FollowerCursor & { author: Id }>`
      SELECT author, bucket, src
      FROM unnest(${part}::bigint[]) AS author CROSS JOIN LATERAL followers_after(author, -1, 0, ${limit})`,
  );
  const found = Map.groupBy(rows, ({ author }) => author);
  return authors.map((author) => found.get(author) ?? []);
}

/** The next followers of an author after a cursor, at most `limit`. */
export function followersAfter(
  db: ShardDb,
  author: Id,
  cursor: FollowerCursor | undefined,
  limit: number,
): Promise<FollowerCursor[]> {
  const { bucket, src } = cursor ?? { bucket: -1, src: "0" };
  return db.read(
    { id: author },
    sql<FollowerCursor>`
      SELECT bucket, src FROM followers_after(${author}, ${bucket}, ${src}, ${limit})`,
    { from: "latest" },
  );
}

/** An author as the policy sees them, and a name of their being in that mode: it never comes again. */
export async function authorNow(db: ShardDb, author: Id): Promise<Author & { stay: string }> {
  const [row] = await db.read(
    { id: author },
    sql<AuthorRow & { stay: string | null }>`
      SELECT p.state AS mode, p.changed_at::text AS stay, r.pinned, r.seconds, r.tweets, r.read_rate, r.read_rate_alone,
             r.active_share,
             extract(epoch FROM now() - r.measured_at)::float8 AS measured_ago, counter_value(${author}, 'followers') AS followers
      FROM (SELECT ${author}::bigint AS author_id) a
      LEFT JOIN pull_authors p USING (author_id) LEFT JOIN fanout_rates r USING (author_id)`,
  );
  if (!row) throw new Error("a row of its own is always there");
  return { ...toAuthor(row), stay: row.stay ?? "" };
}

/** Moves an author from the mode they are in to another; nothing happens where they have left it meanwhile. */
export async function changeMode(
  db: ShardDb,
  author: Id,
  from: { mode: FanoutMode; stay: string },
  to: FanoutMode,
): Promise<void> {
  const statement =
    to === "push"
      ? sql`DELETE FROM pull_authors WHERE author_id = ${author} AND state = ${from.mode} AND changed_at::text = ${from.stay}`
      : from.mode === "push"
        ? sql`INSERT INTO pull_authors (author_id, state, changed_at) VALUES (${author}, ${to}, clock_timestamp())
              ON CONFLICT DO NOTHING`
        : sql`UPDATE pull_authors SET state = ${to}, changed_at = clock_timestamp()
              WHERE author_id = ${author} AND state = ${from.mode} AND changed_at::text = ${from.stay}`;
  await db.write({ id: author }, statement);
}

/** What a job of kind "mode" names: whose mode to look at, and which stay in "leaving" is over when it is due. */
export interface ModeKey {
  author: Id;
  left?: string;
}

/** Queues a look at an author's mode, after so many ms. */
export async function enqueueModeJob(db: ShardDb, key: ModeKey, afterMs = 0): Promise<void> {
  await db.write(
    { id: key.author },
    sql`SELECT enqueue(${bucketOf(key.author)}, 'mode', ${JSON.stringify(key)}, ${afterMs} * interval '1 ms')`,
  );
}

/**
 * Has an author pushed or pulled whatever the policy says, or (null) leaves it to the policy again; the way there begins
 * with the job that this queues. Returns whether there is such a user.
 */
export async function pinMode(db: ShardDb, author: Id, mode: Wanted | null): Promise<boolean> {
  const pinned = await db.write(
    { id: author },
    sql<{ author_id: Id }>`
      WITH pinned AS (
        INSERT INTO fanout_rates (author_id, pinned) SELECT id, ${mode} FROM users
        WHERE id = ${author} AND closed_at IS NULL
        ON CONFLICT (author_id) DO UPDATE SET pinned = excluded.pinned RETURNING author_id
      )
      SELECT author_id, enqueue(bucket_of(author_id), 'mode', jsonb_build_object('author', author_id::text)) FROM pinned`,
  );
  return pinned.length > 0;
}

/** How many authors are in each mode but "push", on all shards. */
export async function authorsByMode(db: ShardDb): Promise<Record<Exclude<FanoutMode, "push">, number>> {
  const rows = await db.readAll(
    sql<{ mode: "entering" | "pull" | "leaving"; authors: string }>`
      SELECT state AS mode, count(*) AS authors FROM pull_authors
      WHERE (SELECT owned FROM placement) @> bucket_of(author_id) GROUP BY state`,
  );
  const counts = { entering: 0, pull: 0, leaving: 0 };
  for (const { mode, authors } of rows) counts[mode] += Number(authors);
  return counts;
}

interface AuthorRow extends RatesRow {
  mode: FanoutMode | null;
  pinned: Wanted | null;
  followers: string;
  measured_ago: number | null;
}

function toAuthor(row: AuthorRow): Author {
  const { mode, pinned, followers } = row;
  return {
    mode: mode ?? "push",
    pinned,
    followers: Number(followers),
    rates: toRates(row),
    measuredAgo: row.measured_ago ?? undefined,
  };
}
