import { bucketOf } from "../../mixins/shard-db/ids.ts";
import type { ShardDb, Tx } from "../../mixins/shard-db/index.ts";
import { sql } from "../../mixins/shard-db/sql.ts";
import type { EdgeDirection, EdgeKind } from "../contracts/edges.ts";
import type { Id } from "../contracts/users.ts";
import { shapeOf } from "./edge-kinds.ts";

/** An edge by its ends; what outbox jobs of kind "edge" name. */
export interface EdgeKey {
  src: Id;
  kind: EdgeKind;
  dst: Id;
}

/** How long the outbox leaves a mirror to the request that is reconciling it inline. */
export const INLINE_GRACE = "3 seconds";

/** What a change of a forward edge came to. `jobs`: outbox rows that cover its deferred effects. */
export interface EdgeChange {
  jobs: Id[];
  /** A block stood in the way; nothing was changed. */
  blocked: boolean;
}

/** One lock per unordered pair, so that follows and blocks between two users never cross; others per edge. */
const lockPair = (tx: Tx, { src, kind, dst }: EdgeKey) => {
  const [low, high] = src < dst ? [src, dst] : [dst, src];
  const name = kind === "follow" || kind === "block" ? `${low} ${high}` : `${src} ${kind} ${dst}`;
  return tx.query(sql`SELECT pg_advisory_xact_lock(2, hashtext(${name}))`);
};

/**
 * Adds a forward edge, with its counter and its outbox row. Idempotent. `across`: the user at the other side, where a
 * block between the two forbids the edge.
 */
export function addEdge(db: ShardDb, edge: EdgeKey, across?: Id): Promise<EdgeChange> {
  const { src, kind, dst } = edge;
  const { out = null } = shapeOf(kind);
  const other = across ?? null;
  return db.transaction({ id: src }, async (tx) => {
    const [, [row]] = await Promise.all([
      lockPair(tx, edge),
      tx.query(sql<{ blocked: boolean; job: Id | null }>`
        WITH wall AS (
          SELECT EXISTS (SELECT FROM edges WHERE src = ${src} AND kind = 'block' AND dst = ${other}) OR
                 EXISTS (SELECT FROM inverse_edges WHERE dst = ${src} AND kind = 'block'
                         AND src_bucket = bucket_of(${other}) AND src = ${other}) AS blocked
        ), made AS (
          INSERT INTO edges (src, kind, dst, id)
          SELECT ${src}::bigint, ${kind}::edge_kind, ${dst}::bigint, next_id(bucket_of(${src}::bigint)) FROM wall WHERE NOT blocked AND NOT is_closed(${src})
          ON CONFLICT DO NOTHING RETURNING src
        ), job AS (
          SELECT enqueue(bucket_of(src), 'edge', ${JSON.stringify(edge)}, ${INLINE_GRACE}) AS id,
                 CASE WHEN ${out}::text IS NOT NULL THEN count_delta(src, ${out}, 1) END
          FROM made
        )
        SELECT blocked, (SELECT id FROM job) AS job FROM wall`),
    ]);
    const jobs = row?.job ? [row.job] : [];
    // Own follow of the one who is blocked ends with the block, in the same transaction.
    if (kind === "block") jobs.push(...(await dropEdge(tx, { src, kind: "follow", dst })));
    return { jobs, blocked: row?.blocked ?? false };
  });
}

/** Removes a forward edge, with its counter and an outbox row. Idempotent. */
export function removeEdge(db: ShardDb, edge: EdgeKey): Promise<EdgeChange> {
  return db.transaction({ id: edge.src }, async (tx) => {
    const [, jobs] = await Promise.all([lockPair(tx, edge), dropEdge(tx, edge)]);
    return { jobs, blocked: false };
  });
}

async function dropEdge(tx: Tx, edge: EdgeKey): Promise<Id[]> {
  const { src, kind, dst } = edge;
  const { out = null } = shapeOf(kind);
  const rows = await tx.query(sql<{ job: Id }>`
    WITH gone AS (DELETE FROM edges WHERE src = ${src} AND kind = ${kind} AND dst = ${dst} RETURNING src)
    SELECT enqueue(bucket_of(src), 'edge', ${JSON.stringify(edge)}, ${INLINE_GRACE}) AS job,
           CASE WHEN ${out}::text IS NOT NULL THEN count_delta(src, ${out}, -1) END
    FROM gone`);
  return rows.map(({ job }) => job);
}

/**
 * Makes the mirror of an edge agree with its forward row as that is now: the lock first, then the look at the truth, so
 * that of two reconciliations the later one wins with what is true. A mirrored block ends the blocked user's follow in
 * the same transaction. Returns whether the edge exists, and the outbox rows of follows that this ended.
 */
export function mirrorEdge(db: ShardDb, edge: EdgeKey): Promise<{ exists: boolean; jobs: Id[] }> {
  const { src, kind, dst } = edge;
  const mirror = async (tx: Tx) => {
    await lockPair(tx, edge);
    const [forward] = await readForward(db, tx, edge);
    await (forward ? addMirror(tx, edge, forward.id) : removeMirror(tx, edge));
    const jobs =
      forward && kind === "block" ? await dropEdge(tx, { src: dst, kind: "follow", dst: src }) : [];
    return { exists: forward !== undefined, jobs };
  };
  return db.transaction({ id: dst }, mirror, { besides: [{ id: src }] });
}

/** On the mirror's own shard the look goes through the transaction's connection: no second one, no second trip. */
function readForward(db: ShardDb, tx: Tx, { src, kind, dst }: EdgeKey): Promise<{ id: Id }[]> {
  const statement = sql<{
    id: Id;
  }>`SELECT id FROM edges WHERE src = ${src} AND kind = ${kind} AND dst = ${dst}`;
  return tx.has(src) ? tx.query(statement) : db.read({ id: src }, statement);
}

async function addMirror(tx: Tx, { src, kind, dst }: EdgeKey, id: Id): Promise<void> {
  const counter = shapeOf(kind).in ?? null;
  await tx.query(sql`
    WITH made AS (
      INSERT INTO inverse_edges (dst, kind, src_bucket, src, id)
      VALUES (${dst}, ${kind}, ${bucketOf(src)}, ${src}, ${id})
      ON CONFLICT (dst, kind, src_bucket, src) DO UPDATE SET id = excluded.id
      RETURNING dst, xmax = 0 AS fresh
    )
    SELECT CASE WHEN ${counter}::text IS NOT NULL THEN count_delta(dst, ${counter}, 1) END,
           -- What reaches an account after it was erased is erased, too.
           CASE WHEN is_closed(dst) THEN enqueue(bucket_of(dst), 'erase', jsonb_build_object('id', dst::text)) END
    FROM made WHERE fresh`);
}

async function removeMirror(tx: Tx, { src, kind, dst }: EdgeKey): Promise<void> {
  const counter = shapeOf(kind).in ?? null;
  await tx.query(sql`
    WITH gone AS (
      DELETE FROM inverse_edges
      WHERE dst = ${dst} AND kind = ${kind} AND src_bucket = ${bucketOf(src)} AND src = ${src} RETURNING dst
    )
    SELECT count_delta(dst, ${counter}, -1) FROM gone WHERE ${counter}::text IS NOT NULL`);
}

/** One edge of a list: its id, and what is at its other end. */
export interface ListedEdge {
  id: Id;
  other: Id;
}

/** A page of the edges of a tweet or a user, unless they have closed their account: those made before `before`, or the ones next after `after`, newest first. */
export async function listEdges(
  db: ShardDb,
  of: { id: Id; kind: EdgeKind; direction: EdgeDirection },
  page: { limit: number; before?: Id; after?: Id },
): Promise<ListedEdge[]> {
  const { id, kind } = of;
  type Row = ListedEdge;
  const before = page.before ?? null;
  const after = page.after ?? null;
  const outward = of.direction === "out";
  const newest = outward
    ? sql<Row>`SELECT id, dst AS other FROM edges WHERE src = ${id} AND kind = ${kind}
               AND id < coalesce(${before}::bigint, 9223372036854775807) AND NOT is_closed(${id}) ORDER BY id DESC LIMIT ${page.limit}`
    : sql<Row>`SELECT id, src AS other FROM inverse_edges WHERE dst = ${id} AND kind = ${kind}
               AND id < coalesce(${before}::bigint, 9223372036854775807) AND NOT is_closed(${id}) ORDER BY id DESC LIMIT ${page.limit}`;
  const oldest = outward
    ? sql<Row>`SELECT id, dst AS other FROM edges WHERE src = ${id} AND kind = ${kind}
               AND id > ${after}::bigint AND NOT is_closed(${id}) ORDER BY id LIMIT ${page.limit}`
    : sql<Row>`SELECT id, src AS other FROM inverse_edges WHERE dst = ${id} AND kind = ${kind}
               AND id > ${after}::bigint AND NOT is_closed(${id}) ORDER BY id LIMIT ${page.limit}`;
  const from = "session";
  if (!after) return db.read({ id }, newest, { from });
  return (await db.read({ id }, oldest, { from })).reverse();
}

/** Whether a user exists, on the primary. */
export async function userExists(db: ShardDb, id: Id): Promise<boolean> {
  const rows = await db.read(
    { id },
    sql<{ id: Id }>`SELECT id FROM users WHERE id = ${id} AND closed_at IS NULL`,
  );
  return rows.length > 0;
}

/** Whether a block stands between two users, in either direction; asked of the first one's shard. */
export async function blockBetween(db: ShardDb, one: Id, other: Id): Promise<boolean> {
  const [row] = await db.read({ id: one }, blockStands(one, other));
  return row?.blocked ?? false;
}

/** Which of some users a block stands between and a viewer, in either direction; asked of the viewer's shard. */
export async function blockedAmong(db: ShardDb, viewer: Id, others: readonly Id[]): Promise<Set<Id>> {
  const rows = await db.read(
    { id: viewer },
    sql<{ id: Id }>`
      SELECT dst AS id FROM edges WHERE src = ${viewer} AND kind = 'block' AND dst = ANY(${others}::bigint[])
      UNION
      SELECT src FROM inverse_edges WHERE dst = ${viewer} AND kind = 'block' AND src = ANY(${others}::bigint[])`,
  );
  return new Set(rows.map(({ id }) => id));
}

/** Whether an edge stands, on the primary of its source. */
export async function edgeStands(db: ShardDb, { src, kind, dst }: EdgeKey): Promise<boolean> {
  const rows = await db.read(
    { id: src },
    sql<{ id: Id }>`SELECT id FROM edges WHERE src = ${src} AND kind = ${kind} AND dst = ${dst}`,
  );
  return rows.length > 0;
}

/** Ends a follow that stands across a block, if it still does: one that no request would have let through. */
export function endBlockedFollow(db: ShardDb, { src, dst }: { src: Id; dst: Id }): Promise<Id[]> {
  const follow = { src, kind: "follow", dst } as const;
  return db.transaction({ id: src }, async (tx) => {
    await lockPair(tx, follow);
    const [row] = await tx.query(blockStands(src, dst));
    return row?.blocked ? dropEdge(tx, follow) : [];
  });
}

const blockStands = (one: Id, other: Id) => sql<{ blocked: boolean }>`
  SELECT EXISTS (SELECT FROM edges WHERE src = ${one} AND kind = 'block' AND dst = ${other}) OR
         EXISTS (SELECT FROM inverse_edges WHERE dst = ${one} AND kind = 'block'
                 AND src_bucket = ${bucketOf(other)} AND src = ${other}) AS blocked`;

/** Some edges that leave a user or arrive there, of whatever kind. */
export async function someEdges(
  db: ShardDb,
  user: Id,
  direction: EdgeDirection,
  limit: number,
): Promise<EdgeKey[]> {
  return db.read(
    { id: user },
    direction === "out"
      ? sql<EdgeKey>`SELECT src, kind::text, dst FROM edges WHERE src = ${user} LIMIT ${limit}`
      : sql<EdgeKey>`SELECT src, kind::text, dst FROM inverse_edges WHERE dst = ${user} LIMIT ${limit}`,
  );
}
