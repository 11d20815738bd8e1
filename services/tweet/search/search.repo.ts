import { ID_EPOCH_MS } from "../../../mixins/shard-db/ids.ts";
import { type ShardDb, sql } from "../../../mixins/shard-db/index.ts";
import { mergeById } from "../../../mixins/shard-db/scatter.ts";
import type { Id } from "../../contracts/users.ts";
import type { TweetRow } from "../tweet.repo.ts";

/** The tweets that a tsquery matches, with ids between `after` and `before` (both exclusive), newest first. */
export async function tweetsMatching(
  db: ShardDb,
  query: string,
  { after, before, limit }: { after: Id; before: Id; limit: number },
): Promise<TweetRow[]> {
  const rows = await db.readAll(
    sql<TweetRow>`
      SELECT id, author_id, text, entities, referenced_tweets, conversation_id, lang, reply_settings
      FROM tweets_matching(${query}::tsquery, ${after}, ${before}, ${limit})`,
    { from: "session", partial: true },
  );
  return mergeById([rows], limit);
}

/** So many tweets in one slot of time; those that retweet one original are counted by themselves. */
export interface CountRow {
  /** How many whole widths lie between 1970 and the slot. */
  slot: string;
  /** What the tweets retweet; null: they are no retweets. */
  original: Id | null;
  count: string;
}

/**
 * How many tweets a tsquery matches, by slots of time of `widthMs`, without those of some authors and without retweets of
 * theirs. A replica may answer.
 */
export function countsMatching(
  db: ShardDb,
  query: string,
  { after, before, widthMs, without }: { after: Id; before: Id; widthMs: number; without: readonly Id[] },
): Promise<CountRow[]> {
  return db.readAll(
    sql<CountRow>`
      SELECT ((id >> 22) + ${ID_EPOCH_MS}::bigint) / ${widthMs}::bigint AS slot, (original ->> 'id')::bigint AS original, count(*)
      FROM (SELECT id, author_id, CASE WHEN referenced_tweets -> 0 ->> 'type' = 'retweeted' THEN referenced_tweets -> 0 END AS original
            FROM tweets WHERE search @@ ${query}::tsquery AND id > ${after} AND id < ${before}
              AND (SELECT owned FROM placement) @> bucket_of(id)) found
      WHERE NOT is_closed(author_id) AND author_id <> ALL(${without}::bigint[])
        AND (original IS NULL OR (original ->> 'author_id')::bigint <> ALL(${without}::bigint[]))
      GROUP BY 1, 2`,
    { from: "session", partial: true },
  );
}
