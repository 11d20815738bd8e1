import type pg from "pg";
import { BUCKETS, type BucketRange } from "../../../config/topology.ts";
import { bucketSql, FORGOTTEN, PLACED, type PlacedTable, withinSql } from "./tables.ts";

/** Pages that are looked through by one statement. */
const PAGES_AT_ONCE = 2_000;

/** Of each bucket, how many rows of a table there are and a sum over their hashes; no entry: none. */
export type Sums = Map<number, string>;

/** The tables of this schema. */
export async function tableNames(client: pg.ClientBase): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    "SELECT relname::text AS name FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = current_schema()::regnamespace",
  );
  return rows.map(({ name }) => name);
}

/** The columns of a table that are not computed from others, in the order of their names. */
export async function columnsOf(client: pg.ClientBase, table: PlacedTable): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT quote_ident(attname) AS name FROM pg_attribute
     WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attname`,
    [table.name],
  );
  return rows.map(({ name }) => name);
}

/** Sums up the rows of some buckets, every column of them as text. */
export async function sumsOf(
  client: pg.ClientBase,
  table: PlacedTable,
  columns: readonly string[],
  range: BucketRange,
  buckets?: readonly number[],
): Promise<Sums> {
  const { rows } = await client.query<{ bucket: number; sum: string }>(
    `SELECT ${bucketSql(table)}::int AS bucket,
            count(*) || ' rows, ' || sum(hashtextextended(ROW(${columns.join(", ")})::text, 0)) AS sum
     FROM ${table.name} WHERE ${withinSql(table, range)} AND ($1::int[] IS NULL OR ${bucketSql(table)} = ANY($1))
     GROUP BY 1`,
    [buckets ?? null],
  );
  return new Map(rows.map(({ bucket, sum }) => [bucket, sum]));
}

/** Rows that a range probably has: its share of what the planner believes. */
export async function estimatedRows(source: pg.ClientBase, [first, last]: BucketRange): Promise<number> {
  const { rows } = await source.query<{ rows: string }>(
    `SELECT (sum(greatest(reltuples, 0)) * $2::int
             / (SELECT greatest(1, sum(upper(r) - lower(r))) FROM placement, unnest(owned) r))::bigint AS rows
     FROM pg_class WHERE oid = ANY(SELECT unnest($1::text[])::regclass)`,
    [PLACED.map(({ name }) => name), last - first + 1],
  );
  return Number(rows[0]?.rows ?? 0);
}

/** Of each bucket, the rows on the shards that own it, and one: so that empty buckets are shared out, too. */
export async function bucketWeights(shards: readonly pg.ClientBase[]): Promise<number[]> {
  const weights = new Array<number>(BUCKETS).fill(1);
  for (const client of shards) {
    for (const table of PLACED) {
      const { rows } = await client.query<{ bucket: number; rows: string }>(
        `SELECT bucket, rows FROM (SELECT ${bucketSql(table)}::int AS bucket, count(*) AS rows FROM ${table.name} GROUP BY 1) c
         WHERE (SELECT owned FROM placement) @> bucket`,
      );
      for (const { bucket, rows: count } of rows) weights[bucket] = (weights[bucket] ?? 1) + Number(count);
    }
  }
  return weights;
}

/** Told of each part of the deletion: pages looked through, of so many. */
export type OnDeleted = (done: { pages: number; of: number; rows: number }) => void;

/**
 * Deletes the rows of a range that this shard does not own, part by part, in the order they lie in. Whatever becomes of the
 * shard map meanwhile, no row of a bucket that is owned here is deleted. Returns how many were.
 */
export async function deleteAstray(
  client: pg.ClientBase,
  range: BucketRange,
  onDeleted: OnDeleted = () => {},
): Promise<number> {
  const tables = [...PLACED, ...FORGOTTEN];
  const pages: number[] = [];
  for (const table of tables) pages.push(await pagesOf(client, table));
  const of = pages.reduce((sum, n) => sum + n, 0);
  let [rows, done] = [0, 0];
  for (const [i, table] of tables.entries()) {
    const last = pages[i] ?? 0;
    for (let page = 0; page < last; page += PAGES_AT_ONCE) {
      const { rowCount } = await client.query(
        `DELETE FROM ${table.name} WHERE ctid >= '(${page},0)' AND ctid < '(${page + PAGES_AT_ONCE},0)'
         AND ${withinSql(table, range)} AND NOT (SELECT owned FROM placement) @> ${bucketSql(table)}::int`,
      );
      rows += rowCount ?? 0;
      onDeleted({ pages: done + Math.min(last, page + PAGES_AT_ONCE), of, rows });
    }
    done += last;
  }
  return rows;
}

async function pagesOf(client: pg.ClientBase, { name }: PlacedTable): Promise<number> {
  const { rows } = await client.query<{ pages: string }>(
    "SELECT ceil(pg_relation_size($1::regclass) / current_setting('block_size')::numeric) AS pages",
    [name],
  );
  return Number(rows[0]?.pages ?? 0);
}
