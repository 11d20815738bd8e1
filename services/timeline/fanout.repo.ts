import { bucketOf } from "../../mixins/shard-db/ids.ts";
import { type ShardDb, sql } from "../../mixins/shard-db/index.ts";
import type { Id } from "../contracts/actions.ts";
import { type TweetRow, toTweet } from "../tweet/tweet.repo.ts";
import type { FanoutMode } from "./fanout-policy.ts";

/** Where a page of followers ends: they are ordered by bucket, so that a page is grouped by Redis partition. */
export interface FollowerCursor {
  bucket: number;
  src: Id;
}

/** A tweet as its fan-out sees it now; undefined where it was deleted. */
export async function tweetToFanOut(db: ShardDb, id: Id) {
  const [row] = await db.read(
    { id },
    sql<TweetRow & { mode: FanoutMode | null; followers: string }>`
      SELECT t.id, t.author_id, t.text, t.entities, t.referenced_tweets, t.conversation_id, p.state AS mode, counter_value(t.author_id, 'followers') AS followers
      FROM tweets t LEFT JOIN pull_authors p USING (author_id) WHERE t.id = ${id}`,
  );
  return row && { tweet: toTweet(row), mode: row.mode ?? "push", followers: Number(row.followers) };
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
      SELECT src_bucket AS bucket, src FROM inverse_edges
      WHERE dst = ${author} AND kind = 'follow' AND (src_bucket, src) > (${bucket}::smallint, ${src}::bigint)
      ORDER BY src_bucket, src LIMIT ${limit}`,
  );
}

/** An author's mode and when it was entered (ms since 1970). */
export async function modeOf(
  db: ShardDb,
  author: Id,
): Promise<{ mode: FanoutMode; sinceMs: number; followers: number }> {
  const [row] = await db.read(
    { id: author },
    sql<{ mode: FanoutMode | null; since: Date | null; followers: string }>`
      SELECT (SELECT state FROM pull_authors WHERE author_id = ${author}) AS mode,
             (SELECT changed_at FROM pull_authors WHERE author_id = ${author}) AS since,
             counter_value(${author}, 'followers') AS followers`,
  );
  return {
    mode: row?.mode ?? "push",
    sinceMs: row?.since?.getTime() ?? 0,
    followers: Number(row?.followers ?? 0),
  };
}

/**
 * Moves an author from one mode to another, unless the mode has changed meanwhile; `next` is a job of kind "mode" to be
 * run after so many ms. Returns whether it moved.
 */
export function changeMode(
  db: ShardDb,
  author: Id,
  change: { from: FanoutMode; to: FanoutMode; nextMs?: number },
): Promise<boolean> {
  const { from, to, nextMs } = change;
  return db.transaction({ id: author }, async (tx) => {
    const moved =
      to === "push"
        ? await tx.query(sql<{ id: Id }>`
            DELETE FROM pull_authors WHERE author_id = ${author} AND state = ${from} RETURNING author_id AS id`)
        : from === "push"
          ? await tx.query(sql<{ id: Id }>`
              INSERT INTO pull_authors (author_id, state) VALUES (${author}, ${to})
              ON CONFLICT DO NOTHING RETURNING author_id AS id`)
          : await tx.query(sql<{ id: Id }>`
              UPDATE pull_authors SET state = ${to}, changed_at = now()
              WHERE author_id = ${author} AND state = ${from} RETURNING author_id AS id`);
    if (moved.length > 0 && nextMs !== undefined) {
      await tx.query(sql`
        SELECT enqueue(${bucketOf(author)}, 'mode', ${JSON.stringify({ author })}, ${nextMs} * interval '1 ms')`);
    }
    return moved.length > 0;
  });
}

/** Queues a look at an author's mode, after so many ms. */
export async function enqueueModeJob(db: ShardDb, author: Id, afterMs = 0): Promise<void> {
  await db.write(
    { id: author },
    sql`SELECT enqueue(${bucketOf(author)}, 'mode', ${JSON.stringify({ author })}, ${afterMs} * interval '1 ms')`,
  );
}
