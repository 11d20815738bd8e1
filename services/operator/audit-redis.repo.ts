import { type ShardDb, sql } from "../../mixins/shard-db/index.ts";
import type { Id } from "../contracts/users.ts";
import type { SessionRow } from "../user/sessions/session.repo.ts";

/** The relations of some users. */
export interface RelationsRow {
  id: Id;
  following: Id[];
  muted: Id[];
  /** In either direction. */
  blocked: Id[];
}

/** The relations of many users at once, from their primaries. */
export async function relationsOfMany(db: ShardDb, users: Iterable<Id>): Promise<RelationsRow[]> {
  const rows = await db.readByIds(
    users,
    (part) => sql<{ id: Id; following: string | null; muted: string | null; blocked: string | null }>`
      SELECT viewer AS id,
        (SELECT string_agg(dst::text, ' ') FROM edges WHERE src = viewer AND kind = 'follow') AS following,
        (SELECT string_agg(dst::text, ' ') FROM edges WHERE src = viewer AND kind = 'mute') AS muted,
        (SELECT string_agg(id::text, ' ') FROM (
          SELECT dst AS id FROM edges WHERE src = viewer AND kind = 'block'
          UNION SELECT src FROM inverse_edges WHERE dst = viewer AND kind = 'block') AS walls) AS blocked
      FROM unnest(${part}::bigint[]) AS viewer`,
  );
  // One string a set costs far less than a row or an array element a member.
  const ids = (joined: string | null) => joined?.split(" ") ?? [];
  return rows.map(({ id, following, muted, blocked }) => ({
    id,
    following: ids(following),
    muted: ids(muted),
    blocked: ids(blocked),
  }));
}

/** Authors who are or were pulled a short while ago, with their state. */
export function pulledAuthors(db: ShardDb): Promise<{ id: Id; state: string }[]> {
  return db.readAll(sql<{ id: Id; state: string }>`
    SELECT author_id AS id, state FROM pull_authors WHERE (SELECT owned FROM placement) @> bucket_of(author_id)`);
}

/** The ids of each author's newest tweets above a floor of their own, newest first, at most `limit` each. */
export async function tweetIdsAbove(
  db: ShardDb,
  floors: ReadonlyMap<Id, Id>,
  limit: number,
): Promise<Map<Id, Id[]>> {
  const rows = await db.readByIds(
    floors.keys(),
    (part) => sql<{ author: Id; ids: string }>`
      SELECT author, string_agg(t.id::text, ' ' ORDER BY t.id DESC) AS ids
      FROM unnest(${part}::bigint[], ${part.map((author) => floors.get(author))}::bigint[]) AS asked (author, floor)
      CROSS JOIN LATERAL (
        SELECT id FROM tweets WHERE author_id = author AND id > floor AND NOT is_closed(author)
        ORDER BY id DESC LIMIT ${limit}) AS t
      GROUP BY author`,
  );
  return new Map(rows.map(({ author, ids }) => [author, ids.split(" ")]));
}

/** The sessions that stand behind some access tokens now. */
export function sessionsBehind(
  db: ShardDb,
  tokens: { bucket: number; hash: string }[],
): Promise<SessionRow[]> {
  return db.readBy(
    tokens,
    ({ bucket }) => ({ bucket }),
    (group) => sql<SessionRow>`
      SELECT id, user_id, client_id, scopes, access_hash, access_expires FROM sessions
      WHERE (bucket, access_hash) IN (
        SELECT * FROM unnest(${group.map(({ bucket }) => bucket)}::smallint[],
                             ${group.map(({ hash }) => Buffer.from(hash, "base64url"))}::bytea[]))`,
  );
}

/** The jobs that are being worked on, or will be within a minute. */
export function queuedJobs(db: ShardDb): Promise<{ kind: string; key: unknown }[]> {
  return db.readAll(sql<{ kind: string; key: unknown }>`
    SELECT kind, key FROM outbox
    WHERE run_after < now() + interval '1 minute' AND (SELECT owned FROM placement) @> bucket_of(id)`);
}
