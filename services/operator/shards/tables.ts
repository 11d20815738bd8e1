import type { BucketRange } from "../../../config/topology.ts";

/** A table whose rows belong to buckets, and the column, part of the primary key, that says to which. */
export interface PlacedTable {
  name: string;
  by: string;
  holds: "id" | "bucket";
}

/** Every table whose rows move with their buckets. Row filters of logical replication see key columns only. */
export const PLACED: readonly PlacedTable[] = [
  { name: "users", by: "id", holds: "id" },
  { name: "credentials", by: "user_id", holds: "id" },
  { name: "sessions", by: "bucket", holds: "bucket" },
  { name: "edges", by: "src", holds: "id" },
  { name: "inverse_edges", by: "dst", holds: "id" },
  { name: "tweets", by: "id", holds: "id" },
  { name: "counters", by: "subject", holds: "id" },
  { name: "counter_deltas", by: "id", holds: "id" },
  { name: "idempotency_keys", by: "user_id", holds: "id" },
  { name: "outbox", by: "id", holds: "id" },
  { name: "dead_letters", by: "id", holds: "id" },
  { name: "pull_authors", by: "author_id", holds: "id" },
  { name: "fanout_rates", by: "author_id", holds: "id" },
  { name: "apps", by: "bucket", holds: "bucket" },
  { name: "authorization_codes", by: "bucket", holds: "bucket" },
  { name: "stream_rules", by: "id", holds: "id" },
];

/** Rows that are forgotten where their bucket leaves: unlogged tables are not replicated. */
export const FORGOTTEN: readonly PlacedTable[] = [{ name: "outbox_begun", by: "id", holds: "id" }];

/** Tables that say something of their shard, and stay there. */
export const UNPLACED: readonly string[] = [
  "schema_migrations",
  "placement",
  "moves",
  "move_markers",
  "move_arrivals",
];

/** SQL for the bucket of a row, of built-in operators only: a row filter knows no others. */
export function bucketSql({ by, holds }: PlacedTable): string {
  return holds === "bucket" ? by : `((${by} >> 12) & 1023)`;
}

/** SQL for whether a row is in a range of buckets. */
export function withinSql(table: PlacedTable, [first, last]: BucketRange): string {
  return `(${bucketSql(table)} BETWEEN ${first} AND ${last})`;
}

/** The tables among `names` of which nobody has said whether their rows move. */
export function unknownTables(names: readonly string[]): string[] {
  const known = new Set([...[...PLACED, ...FORGOTTEN].map(({ name }) => name), ...UNPLACED]);
  return names.filter((name) => !known.has(name));
}
