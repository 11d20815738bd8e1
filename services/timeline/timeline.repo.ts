import { limits } from "../../config/limits.ts";
import type { Built } from "../../mixins/redis/windowed-list.ts";
import { idBefore, newestFirst } from "../../mixins/shard-db/ids.ts";
import { type ShardDb, sql } from "../../mixins/shard-db/index.ts";
import { mergeById } from "../../mixins/shard-db/scatter.ts";
import type { Id, Tweet } from "../contracts/actions.ts";
import { type TweetRow, toTweet } from "../tweet/tweet.repo.ts";
import type { Range } from "./merge.ts";

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

/** The ids of the authors whose tweets are pulled at read time, on all shards. */
export async function pullAuthors(db: ShardDb): Promise<Id[]> {
  const rows = await db.readAll(sql<{ author_id: Id }>`SELECT author_id FROM pull_authors`);
  return rows.map(({ author_id }) => author_id);
}

/** The newest tweets of some authors within a range, newest first; with `after` alone, those next newer than it. */
export async function tweetsOf(
  db: ShardDb,
  authors: readonly Id[],
  range: Range,
  limit: number,
  nextNewer = false,
): Promise<Tweet[]> {
  if (authors.length === 0) return [];
  const before = range.before ?? MAX_ID;
  const after = range.after ?? "0";
  const rows = await db.readByIds(authors, (part) =>
    nextNewer
      ? sql<TweetRow>`
          SELECT t.id, t.author_id, t.text, t.entities FROM unnest(${part}::bigint[]) AS author
          CROSS JOIN LATERAL (
            SELECT * FROM tweets WHERE author_id = author AND id < ${before} AND id > ${after}
            ORDER BY id LIMIT ${limit}) t
          ORDER BY t.id LIMIT ${limit}`
      : sql<TweetRow>`
          SELECT t.id, t.author_id, t.text, t.entities FROM unnest(${part}::bigint[]) AS author
          CROSS JOIN LATERAL (
            SELECT * FROM tweets WHERE author_id = author AND id < ${before} AND id > ${after}
            ORDER BY id DESC LIMIT ${limit}) t
          ORDER BY t.id DESC LIMIT ${limit}`,
  );
  if (!nextNewer) return mergeById([rows], limit).map(toTweet);
  return mergeById([rows], rows.length).slice(-limit).map(toTweet);
}

/**
 * Builds a windowed list of some authors' tweets from the primaries. Few entries an author are asked for first; only
 * where that cuts prolific authors short and leaves the list small, theirs are asked for again in full.
 */
export async function buildList(db: ShardDb, authors: readonly Id[]): Promise<Built> {
  const { keep } = limits.homeList;
  const each = Math.min(keep, Math.max(20, Math.ceil((4 * keep) / Math.max(1, authors.length))));
  const first = await newestIds(db, authors, each);
  const sketch = combine(first, each);
  if (sketch.ids.length >= keep || sketch.floor === "0" || each === keep) return cut(sketch);
  const prolific = [...first].flatMap(([author, ids]) => (ids.length === each ? author : []));
  for (const [author, ids] of await newestIds(db, prolific, keep)) first.set(author, ids);
  const others = combine(new Map([...first].filter(([author]) => !prolific.includes(author))), keep + 1);
  const full = combine(new Map([...first].filter(([author]) => prolific.includes(author))), keep);
  return cut({
    ids: [...others.ids, ...full.ids.filter((id) => newestFirst(id, full.floor) < 0)],
    floor: full.floor,
  });
}

/** All ids, and the floor above which nothing is missing: authors with `each` ids may have more below their last. */
function combine(byAuthor: Map<Id, Id[]>, each: number): Built {
  let floor = "0";
  for (const ids of byAuthor.values()) {
    const last = ids.length >= each ? ids.at(-1) : undefined;
    if (last && newestFirst(idBefore(last), floor) < 0) floor = idBefore(last);
  }
  const ids = [...byAuthor.values()].flat().filter((id) => newestFirst(id, floor) < 0);
  return { ids, floor };
}

function cut({ ids, floor }: Built): Built {
  const { keep } = limits.homeList;
  const sorted = ids.filter((id) => newestFirst(id, floor) < 0).sort(newestFirst);
  const last = sorted[keep];
  return last ? { ids: sorted.slice(0, keep), floor: last } : { ids: sorted, floor };
}

async function newestIds(db: ShardDb, authors: readonly Id[], each: number): Promise<Map<Id, Id[]>> {
  const rows = await db.readByIds(
    authors,
    (part) => sql<{ author_id: Id; ids: Id[] }>`
      SELECT author AS author_id, ARRAY(
        SELECT id::text FROM tweets WHERE author_id = author ORDER BY id DESC LIMIT ${each}) AS ids
      FROM unnest(${part}::bigint[]) AS author`,
  );
  return new Map(rows.map(({ author_id, ids }) => [author_id, ids]));
}
