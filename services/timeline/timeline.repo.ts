import { limits } from "../../config/limits.ts";
import type { Built } from "../../mixins/redis/windowed-list.ts";
import { idBefore, idTimeMs, newestFirst } from "../../mixins/shard-db/ids.ts";
import { type ReadOptions, type ShardDb, sql } from "../../mixins/shard-db/index.ts";
import type { Tweet } from "../contracts/tweets.ts";
import type { Id } from "../contracts/users.ts";
import { type ListedEdge, listEdges } from "../graph/edges.repo.ts";
import { type TweetRow, toTweet } from "../tweet/tweet.repo.ts";
import type { Range } from "./merge.ts";
import type { Ask } from "./paging.ts";
import type { Standing } from "./rules.ts";

const MAX_ID = "9223372036854775807";

/** What decides which tweets a viewer sees. */
export interface Relations {
  following: Id[];
  /** In either direction. */
  blocked: Id[];
  muted: Id[];
}

/** A viewer's relations, from the primary of the viewer's shard, in one statement. */
export async function relationsOf(db: ShardDb, viewer: Id): Promise<Relations> {
  const rows = await db.read(
    { id: viewer },
    sql<{ kind: string; id: Id }>`
      SELECT kind::text, dst AS id FROM edges WHERE src = ${viewer} AND kind IN ('follow', 'block', 'mute')
      UNION ALL
      SELECT 'block', src FROM inverse_edges WHERE dst = ${viewer} AND kind = 'block'`,
  );
  const of = (kind: string) => rows.flatMap((row) => (row.kind === kind ? row.id : []));
  return { following: of("follow"), blocked: [...new Set(of("block"))], muted: of("mute") };
}

/** How a viewer with these relations stands to each author that they name; to any other not at all. Pure. */
export function standingsIn({ following, blocked, muted }: Relations): Map<Id, Standing> {
  const standings = new Map<Id, Standing>();
  const of = (author: Id): Standing => {
    const known = standings.get(author) ?? { followed: false, blocked: false, muted: false };
    standings.set(author, known);
    return known;
  };
  for (const author of following) of(author).followed = true;
  for (const author of blocked) of(author).blocked = true;
  for (const author of muted) of(author).muted = true;
  return standings;
}

/** The mentions of a user within a range, newest first; an edge's id is its tweet's. Fewer than the limit only at the end. */
export async function mentionsOf(db: ShardDb, user: Id, ask: Ask): Promise<ListedEdge[]> {
  const { range, limit, nextNewer } = ask;
  const from = nextNewer ? { after: range.after } : { before: range.before };
  const edges = await listEdges(db, { id: user, kind: "mention", direction: "in" }, { limit, ...from });
  return edges.filter(
    ({ id }) =>
      (!range.before || newestFirst(id, range.before) > 0) &&
      (!range.after || newestFirst(id, range.after) < 0),
  );
}

/** The ids of the authors whose tweets are pulled at read time, on all shards. */
export async function pullAuthors(db: ShardDb): Promise<Id[]> {
  const rows = await db.readAll(sql<{ author_id: Id }>`
    SELECT author_id FROM pull_authors WHERE (SELECT owned FROM placement) @> bucket_of(author_id)`);
  return rows.map(({ author_id }) => author_id);
}

/** What is older than this, in ms, every replica that serves reads has: none lags by half of it. */
const SETTLED_MS = 30_000;

/** Lists come from replicas, of what was written long ago without a question; which of it still exists, the primary is to be asked. */
function listedBy({ before }: Range): ReadOptions {
  return { from: before && idTimeMs(before) < Date.now() - SETTLED_MS ? "session" : "latest" };
}

/** The newest tweets of some authors within a range, newest first; with `nextNewer` those next newer than `after`. */
export async function tweetsOf(
  db: ShardDb,
  authors: readonly Id[],
  range: Range,
  limit: number,
  nextNewer = false,
): Promise<Tweet[]> {
  const before = range.before ?? MAX_ID;
  const after = range.after ?? "0";
  if (!nextNewer) {
    const rows = await db.mergeByIds(
      authors,
      limit,
      (part) => sql<TweetRow>`
        SELECT t.id, t.author_id, t.text, t.entities, t.referenced_tweets, t.conversation_id, t.lang, t.reply_settings
        FROM unnest(${part}::bigint[]) AS author
        CROSS JOIN LATERAL (
          SELECT * FROM tweets WHERE author_id = author AND id < ${before} AND id > ${after}
          ORDER BY id DESC LIMIT ${limit}) t
        WHERE NOT is_closed(author)
        ORDER BY t.id DESC LIMIT ${limit}`,
      listedBy(range),
    );
    return rows.map(toTweet);
  }
  const rows = await db.readByIds(
    authors,
    (part) => sql<TweetRow>`
      SELECT t.id, t.author_id, t.text, t.entities, t.referenced_tweets, t.conversation_id, t.lang, t.reply_settings
        FROM unnest(${part}::bigint[]) AS author
      CROSS JOIN LATERAL (
        SELECT * FROM tweets WHERE author_id = author AND id < ${before} AND id > ${after}
        ORDER BY id LIMIT ${limit}) t
      WHERE NOT is_closed(author)
      ORDER BY t.id LIMIT ${limit}`,
    listedBy(range),
  );
  return rows
    .sort((a, b) => newestFirst(a.id, b.id))
    .slice(-limit)
    .map(toTweet);
}

/**
 * Builds a windowed list of some authors' tweets as they are now. Few entries an author are asked for first; then more,
 * of those authors alone who may have further tweets among the newest `keep` of all that was found.
 */
export async function buildList(db: ShardDb, authors: readonly Id[]): Promise<Built> {
  const { keep } = limits.homeList;
  const each = Math.min(keep, Math.max(20, Math.ceil((4 * keep) / Math.max(1, authors.length))));
  const found = await newestIds(db, authors, each);
  const least = [...found.values()].flat().sort(newestFirst)[keep - 1] ?? "0";
  const prolific = [...found].flatMap(([author, ids]) => (mayHaveMore(ids, each, least) ? author : []));
  if (each < keep) for (const [author, ids] of await newestIds(db, prolific, keep)) found.set(author, ids);
  const full = new Set(each < keep ? prolific : []);
  return combine(
    [...found].map(([author, ids]) => ({ ids, cut: ids.length >= (full.has(author) ? keep : each) })),
  );
}

/** Whether an author of whom `each` tweets were asked may have more that are newer than `least`. */
function mayHaveMore(ids: Id[], each: number, least: Id): boolean {
  const last = ids[each - 1];
  return last !== undefined && newestFirst(last, least) < 0;
}

/**
 * The newest entries of several authors, and the floor above which nothing is missing. `cut`: the author may have more
 * below the last id. Pure.
 */
export function combine(authors: { ids: Id[]; cut: boolean }[]): Built {
  const { keep } = limits.homeList;
  let floor = "0";
  for (const { ids, cut } of authors) {
    const last = cut ? ids.at(-1) : undefined;
    if (last && newestFirst(idBefore(last), floor) < 0) floor = idBefore(last);
  }
  const sorted = authors
    .flatMap(({ ids }) => ids.filter((id) => newestFirst(id, floor) < 0))
    .sort(newestFirst);
  const first = sorted[keep];
  return first ? { ids: sorted.slice(0, keep), floor: first } : { ids: sorted, floor };
}

async function newestIds(db: ShardDb, authors: readonly Id[], each: number): Promise<Map<Id, Id[]>> {
  if (authors.length === 0) return new Map();
  const rows = await db.readByIds(
    authors,
    (part) => sql<{ author_id: Id; ids: Id[] }>`
      SELECT author AS author_id, ARRAY(
        SELECT id::text FROM tweets WHERE author_id = author ORDER BY id DESC LIMIT ${each}) AS ids
      FROM unnest(${part}::bigint[]) AS author WHERE NOT is_closed(author)`,
    { from: "latest" },
  );
  return new Map(rows.map(({ author_id, ids }) => [author_id, ids]));
}
