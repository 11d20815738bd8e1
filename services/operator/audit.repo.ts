import { type ShardDb, sql } from "../../mixins/shard-db/index.ts";
import type { Snapshot } from "../../mixins/shard-db/snapshots.ts";
import type { Statement } from "../../mixins/shard-db/sql.ts";
import type { Id } from "../contracts/users.ts";
import type { EdgeKey } from "../graph/edges.repo.ts";
import { type CountedKinds, OWN_TWEETS } from "./audit-counters.ts";
import type { EdgeRow, EdgeSum } from "./audit-edges.ts";
import { ASTRAY, type OutboxFinding, type PlacementFinding } from "./audit-findings.ts";

/** Lets the statements of a snapshot sort and group in memory what would otherwise go to disk several times. */
export async function takeMemory({ query }: Snapshot): Promise<void> {
  await query(sql`SET LOCAL work_mem TO '128MB'`);
}

/** The buckets that a move is on its way with, from this shard: their rows may be on two shards. */
export async function movingBuckets({ query }: Snapshot): Promise<number[]> {
  const rows = await query(sql<{ bucket: number }>`
    SELECT generate_series(first, last) AS bucket FROM moves WHERE ended_at IS NULL`);
  return rows.map(({ bucket }) => bucket);
}

/**
 * Sums up the forward edges on a shard by kind and bucket of the source. The hash is Postgres's own, 64 bits, of source,
 * destination and id.
 */
export function forwardSums({ query }: Snapshot, moving: readonly number[]): Promise<EdgeSum[]> {
  return query(sql<EdgeSum>`
    SELECT kind::text, bucket, (SELECT owned FROM placement) @> bucket AS placed, rows, sum FROM (
      SELECT kind, bucket_of(src) AS bucket, count(*) AS rows,
             sum(hashint8extended(src, hashint8extended(dst, id))) AS sum
      FROM edges GROUP BY 1, 2) AS sums
    WHERE bucket <> ALL(${moving}) OR (SELECT owned FROM placement) @> bucket`);
}

/** The same of the mirrors on a shard, by the bucket of their source. */
export function mirrorSums({ query }: Snapshot, moving: readonly number[]): Promise<EdgeSum[]> {
  return query(sql<EdgeSum>`
    SELECT kind::text, bucket, placed, rows, sum FROM (
      SELECT kind, src_bucket AS bucket,
             src_bucket = bucket_of(src) AND (SELECT owned FROM placement) @> bucket_of(dst) AS placed,
             count(*) AS rows, sum(hashint8extended(src, hashint8extended(dst, id))) AS sum
      FROM inverse_edges
      WHERE bucket_of(dst) <> ALL(${moving}) OR (SELECT owned FROM placement) @> bucket_of(dst) GROUP BY 1, 2, 3) AS sums`);
}

/** The forward edges of some buckets that a shard owns, in edgeOrder. Once at a time on a snapshot. */
export function forwardEdges({ query }: Snapshot, buckets: number[]): AsyncGenerator<EdgeRow> {
  return walk(query, {
    open: sql`
      DECLARE forward_edges NO SCROLL CURSOR FOR
      SELECT src, kind::text, dst, id FROM edges
      WHERE bucket_of(src) = ANY(${buckets}) AND (SELECT owned FROM placement) @> bucket_of(src)
      ORDER BY src, kind::text COLLATE "C", dst`,
    next: sql<EdgeRow>`FETCH 5000 FROM forward_edges`,
    close: sql`CLOSE forward_edges`,
  });
}

/** The mirrors on a shard of the edges whose sources are in some buckets, in edgeOrder. Once at a time on a snapshot. */
export function mirrorEdges({ query }: Snapshot, buckets: number[]): AsyncGenerator<EdgeRow> {
  return walk(query, {
    open: sql`
      DECLARE mirror_edges NO SCROLL CURSOR FOR
      SELECT src, kind::text, dst, id FROM inverse_edges
      WHERE src_bucket = ANY(${buckets}) AND src_bucket = bucket_of(src)
        AND (SELECT owned FROM placement) @> bucket_of(dst)
      ORDER BY src, kind::text COLLATE "C", dst`,
    next: sql<EdgeRow>`FETCH 5000 FROM mirror_edges`,
    close: sql`CLOSE mirror_edges`,
  });
}

async function* walk<Row>(
  query: Snapshot["query"],
  cursor: { open: Statement<never>; next: Statement<Row>; close: Statement<never> },
): AsyncGenerator<Row> {
  await query(cursor.open);
  let page: Row[];
  do {
    page = await query(cursor.next);
    yield* page;
  } while (page.length > 0);
  await query(cursor.close);
}

/** The follows on a shard of whom a block, their own or a mirrored one, forbids it. */
export function followsAcrossBlocks({ query }: Snapshot): Promise<{ src: Id; dst: Id }[]> {
  return query(sql<{ src: Id; dst: Id }>`
    SELECT src, dst FROM (
      SELECT f.src, f.dst FROM edges b JOIN edges f ON f.src = b.src AND f.kind = 'follow' AND f.dst = b.dst
      WHERE b.kind = 'block'
      UNION
      SELECT f.src, f.dst FROM inverse_edges b JOIN edges f ON f.src = b.dst AND f.kind = 'follow' AND f.dst = b.src
      WHERE b.kind = 'block') AS across
    WHERE (SELECT owned FROM placement) @> bucket_of(src)`);
}

/** The counters that a shard owns, folded and pending together, that are not the number of rows they count. */
export function wrongCounters(
  { query }: Snapshot,
  counted: CountedKinds,
): Promise<{ subject: Id; name: string; value: string; rows: string }[]> {
  // OFFSET 0: only what differs is asked whether it is in its place.
  return query(sql<{ subject: Id; name: string; value: string; rows: string }>`
    SELECT * FROM (
      SELECT subject, name, sum(value)::bigint AS value, sum(rows)::bigint AS rows FROM (
        SELECT src AS subject, name, 0 AS value, rows
        FROM (SELECT src, kind, count(*) AS rows FROM edges GROUP BY 1, 2) AS e
        JOIN unnest(${counted.out.kinds}::edge_kind[], ${counted.out.names}::text[]) AS o (kind, name) USING (kind)
        UNION ALL
        SELECT dst, name, 0, rows
        FROM (SELECT dst, kind, count(*) AS rows FROM inverse_edges GROUP BY 1, 2) AS e
        JOIN unnest(${counted.in.kinds}::edge_kind[], ${counted.in.names}::text[]) AS i (kind, name) USING (kind)
        UNION ALL SELECT author_id, ${OWN_TWEETS}, 0, count(*) FROM tweets GROUP BY 1
        UNION ALL SELECT subject, name, value, 0 FROM counters
        UNION ALL SELECT subject, name, delta, 0 FROM counter_deltas) AS both_sides
      GROUP BY subject, name HAVING sum(value) <> sum(rows) OFFSET 0) AS differing
    WHERE (SELECT owned FROM placement) @> bucket_of(subject)`);
}

/**
 * Adds to counters what they lack of the rows they count (or takes away what is too much), found in the very statement
 * that adds it: it sees a change together with its delta or neither, so changes that come meanwhile stay counted.
 */
export async function mendCounters(
  db: ShardDb,
  wrong: { subject: Id; name: string }[],
  counted: CountedKinds,
): Promise<void> {
  const bySubject = Map.groupBy(wrong, ({ subject }) => subject);
  await db.transactionsByIds(bySubject.keys(), async (tx, ids) => {
    const here = ids.flatMap((id) => bySubject.get(id) ?? []);
    const subjects = here.map(({ subject }) => subject);
    const names = here.map(({ name }) => name);
    await tx.query(sql`
      INSERT INTO counters (subject, name, value)
      SELECT subject, name, rows.n - counter_value(subject, name)
      FROM unnest(${subjects}::bigint[], ${names}::text[]) AS wrong (subject, name) CROSS JOIN LATERAL (
        SELECT (SELECT count(*) FROM edges
                JOIN unnest(${counted.out.kinds}::edge_kind[], ${counted.out.names}::text[]) AS o (kind, name) USING (kind)
                WHERE src = wrong.subject AND o.name = wrong.name)
             + (SELECT count(*) FROM inverse_edges
                JOIN unnest(${counted.in.kinds}::edge_kind[], ${counted.in.names}::text[]) AS i (kind, name) USING (kind)
                WHERE dst = wrong.subject AND i.name = wrong.name)
             + (SELECT count(*) FROM tweets WHERE author_id = wrong.subject AND wrong.name = ${OWN_TWEETS}) AS n) AS rows
      ORDER BY subject, name
      ON CONFLICT (subject, name) DO UPDATE SET value = counters.value + excluded.value`);
  });
}

/** Rows of other tables than edges that are on a shard which does not own their bucket, or in the wrong bucket. */
export async function misplacedRows(
  { shard, query }: Snapshot,
  moving: readonly number[],
): Promise<PlacementFinding[]> {
  const found = await query(sql<{ table: string; rows: string; fault: string }>`
    SELECT "table", count(*) AS rows, ${ASTRAY}::text AS fault FROM (
      SELECT 'users' AS "table", bucket_of(id) AS bucket FROM users
      UNION ALL SELECT 'credentials', bucket_of(user_id) FROM credentials
      UNION ALL SELECT 'sessions', bucket FROM sessions
      UNION ALL SELECT 'apps', bucket FROM apps
      UNION ALL SELECT 'authorization_codes', bucket FROM authorization_codes
      UNION ALL SELECT 'tweets', bucket_of(id) FROM tweets
      UNION ALL SELECT 'idempotency_keys', bucket_of(user_id) FROM idempotency_keys
      UNION ALL SELECT 'pull_authors', bucket_of(author_id) FROM pull_authors
      UNION ALL SELECT 'fanout_rates', bucket_of(author_id) FROM fanout_rates
      UNION ALL SELECT 'counters', bucket_of(subject) FROM counters
      UNION ALL SELECT 'counter_deltas', bucket_of(id) FROM counter_deltas
      UNION ALL SELECT 'outbox', bucket_of(id) FROM outbox
      UNION ALL SELECT 'dead_letters', bucket_of(id) FROM dead_letters
      UNION ALL SELECT 'stream_rules', bucket_of(id) FROM stream_rules) AS placed
    WHERE NOT (SELECT owned FROM placement) @> bucket AND bucket <> ALL(${moving})
    GROUP BY 1
    UNION ALL
    SELECT 'users', count(*), 'are not in the bucket of their handle' FROM users
    WHERE bucket_of(id) <> ('x' || left(encode(sha256(lower(username)::bytea), 'hex'), 8))::bit(32)::bigint % 1024
    HAVING count(*) > 0
    UNION ALL
    SELECT 'tweets', count(*), 'are not in the bucket of their author' FROM tweets
    WHERE bucket_of(id) <> bucket_of(author_id) HAVING count(*) > 0
    ORDER BY 1`);
  return found.map((row) => ({ check: "placement", shard, ...row }));
}

/** Dead letters, and jobs that have been due, or have been failing, for longer than they may be. */
export async function stuckJobs({ shard, query }: Snapshot): Promise<OutboxFinding[]> {
  const found = await query(sql<Omit<OutboxFinding, "check" | "shard">>`
    SELECT id, kind, key, fault FROM (
      SELECT id, kind, key, 'was given up: ' || coalesce(last_error, 'no error') AS fault FROM dead_letters
      UNION ALL
      SELECT id, kind, key, 'has been due since ' || run_after || coalesce(': ' || last_error, '') FROM outbox
      WHERE run_after < now() - interval '5 minutes'
      UNION ALL
      SELECT id, kind, key, 'keeps failing: ' || last_error FROM outbox
      WHERE last_error IS NOT NULL AND run_after >= now() - interval '5 minutes'
        AND id < ((extract(epoch FROM now() - interval '10 minutes') * 1000)::bigint - 1288834974657) << 22) AS stuck
    WHERE (SELECT owned FROM placement) @> bucket_of(id)`);
  return found.map((row) => ({ check: "outbox", shard, ...row }));
}

export interface EdgeNow extends EdgeKey {
  forward: Id | null;
  mirror: Id | null;
  /** A job that reconciles it is queued. */
  pending: boolean;
}

/**
 * Both rows of some edges. The forward row and its job are looked at first, in one statement: where no job is queued, the
 * mirror that is read afterwards is that of this forward row, unless the edge has changed in between.
 */
export async function edgesNow(db: ShardDb, edges: EdgeKey[]): Promise<EdgeNow[]> {
  const nowAt = await atShards(
    db,
    edges,
    "src",
    ({ srcs, kinds, dsts }) => sql<Omit<EdgeNow, "mirror">>`
    SELECT a.src, a.kind, a.dst, e.id AS forward, j.src IS NOT NULL AS pending
    FROM unnest(${srcs}::bigint[], ${kinds}::text[], ${dsts}::bigint[]) AS a (src, kind, dst)
    LEFT JOIN edges e ON e.src = a.src AND e.kind = a.kind::edge_kind AND e.dst = a.dst
    LEFT JOIN (SELECT DISTINCT key->>'src' AS src, key->>'kind' AS kind, key->>'dst' AS dst
               FROM outbox WHERE kind = 'edge') AS j ON j.src = a.src::text AND j.kind = a.kind AND j.dst = a.dst::text`,
  );
  const mirrors = await atShards(
    db,
    edges,
    "dst",
    ({ srcs, kinds, dsts }) => sql<EdgeKey & { mirror: Id | null }>`
    SELECT a.src, a.kind, a.dst, e.id AS mirror
    FROM unnest(${srcs}::bigint[], ${kinds}::text[], ${dsts}::bigint[]) AS a (src, kind, dst)
    LEFT JOIN inverse_edges e
      ON e.dst = a.dst AND e.kind = a.kind::edge_kind AND e.src_bucket = bucket_of(a.src) AND e.src = a.src`,
  );
  const mirrorOf = new Map(mirrors.map((row) => [nameOf(row), row.mirror]));
  return nowAt.map((row) => ({ ...row, mirror: mirrorOf.get(nameOf(row)) ?? null }));
}

const nameOf = ({ src, kind, dst }: EdgeKey): string => `${src} ${kind} ${dst}`;

function atShards<Row>(
  db: ShardDb,
  edges: EdgeKey[],
  end: "src" | "dst",
  statement: (part: { srcs: Id[]; kinds: string[]; dsts: Id[] }) => Statement<Row>,
): Promise<Row[]> {
  return db.readBy(
    edges,
    (edge) => ({ id: edge[end] }),
    (group) =>
      statement({
        srcs: group.map(({ src }) => src),
        kinds: group.map(({ kind }) => kind),
        dsts: group.map(({ dst }) => dst),
      }),
  );
}
