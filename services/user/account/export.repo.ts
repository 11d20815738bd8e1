import { idTime } from "../../../mixins/shard-db/ids.ts";
import { type ShardDb, sql } from "../../../mixins/shard-db/index.ts";
import type { EdgeDirection, EdgeKind } from "../../contracts/edges.ts";
import type { ExportSection } from "../../contracts/sessions.ts";
import type { Id } from "../../contracts/users.ts";
import { originalsOf } from "../../tweet/references.ts";
import { existingIds, type TweetRow, toTweet } from "../../tweet/tweet.repo.ts";

/** Lists of an export that are edges: of which kind and direction, and what is at the other end. */
const EDGES: Record<
  Exclude<ExportSection, "tweets">,
  { kind: EdgeKind; direction: EdgeDirection; other: "user_id" | "tweet_id" }
> = {
  following: { kind: "follow", direction: "out", other: "user_id" },
  followers: { kind: "follow", direction: "in", other: "user_id" },
  blocking: { kind: "block", direction: "out", other: "user_id" },
  muting: { kind: "mute", direction: "out", other: "user_id" },
  likes: { kind: "like", direction: "out", other: "tweet_id" },
  bookmarks: { kind: "bookmark", direction: "out", other: "tweet_id" },
  mentions: { kind: "mention", direction: "in", other: "tweet_id" },
};

/** An item of an export, under the id that the lists are ordered by; none where it is left out. */
export interface ExportedItem {
  at: Id;
  item?: Record<string, unknown>;
}

/** The items of a list after one of them, oldest first. */
export async function exportedItems(
  db: ShardDb,
  user: Id,
  section: ExportSection,
  after: Id,
  limit: number,
): Promise<ExportedItem[]> {
  if (section === "tweets") {
    const rows = await db.read(
      { id: user },
      sql<TweetRow>`
        SELECT id, author_id, text, entities, referenced_tweets, conversation_id, lang, reply_settings FROM tweets
        WHERE author_id = ${user} AND id > ${after} ORDER BY id LIMIT ${limit}`,
    );
    const tweets = rows.map(toTweet);
    // A retweet holds the beginning of its original, which is its author's: it goes where that is gone.
    const originals = new Set((await existingIds(db, originalsOf(tweets))).map(({ id }) => id));
    return tweets.map((tweet) => ({
      at: tweet.id,
      ...(originalsOf([tweet]).every((id) => originals.has(id)) ? { item: { ...tweet } } : {}),
    }));
  }
  const { kind, direction, other } = EDGES[section];
  const rows = await db.read(
    { id: user },
    direction === "out"
      ? sql<{ id: Id; other: Id }>`SELECT id, dst AS other FROM edges
          WHERE src = ${user} AND kind = ${kind} AND id > ${after} ORDER BY id LIMIT ${limit}`
      : sql<{ id: Id; other: Id }>`SELECT id, src AS other FROM inverse_edges
          WHERE dst = ${user} AND kind = ${kind} AND id > ${after} ORDER BY id LIMIT ${limit}`,
  );
  return rows.map((row) => ({ at: row.id, item: { [other]: row.other, since: idTime(row.id) } }));
}

/** What else Postgres keeps about a user: counters, how their tweets are delivered, keys of requests, rules of streams. */
export async function exportedFacts(db: ShardDb, user: Id): Promise<Record<string, unknown>> {
  const [row] = await db.read(
    { id: user },
    sql<Record<"counters" | "delivery" | "idempotency_keys" | "stream_rules", unknown>>`
      SELECT (SELECT jsonb_object_agg(name, counter_value(${user}, name)) FROM (
                SELECT name FROM counters WHERE subject = ${user}
                UNION SELECT name FROM counter_deltas WHERE subject = ${user}) known) AS counters,
             (SELECT to_jsonb(r) - 'author_id' FROM fanout_rates r WHERE author_id = ${user})
               || coalesce((SELECT jsonb_build_object('mode', state) FROM pull_authors WHERE author_id = ${user}), '{}') AS delivery,
             (SELECT jsonb_agg(jsonb_build_object('key', key, 'tweet_id', tweet_id::text, 'created_at', created_at))
              FROM idempotency_keys WHERE user_id = ${user}) AS idempotency_keys,
             (SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object('value', value, 'tag', tag, 'client_id', a.client_id)))
              FROM stream_rules LEFT JOIN apps a ON a.client_id = owner AND a.owner_id = ${user}
              WHERE owner = ${`user:${user}`} OR a.client_id IS NOT NULL) AS stream_rules`,
  );
  const { counters, delivery, idempotency_keys, stream_rules } = row ?? {};
  return {
    counters: counters ?? {},
    delivery: delivery ?? {},
    idempotency_keys: idempotency_keys ?? [],
    stream_rules: stream_rules ?? [],
  };
}
