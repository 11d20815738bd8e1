import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import type { BucketRange } from "../../../config/topology.ts";
import { PLACED, withinSql } from "./tables.ts";

const { escapeIdentifier, escapeLiteral } = pg;
const LOOK_EVERY_MS = 50;
/** A worker of a subscription that is switched off ends within this time. */
const WORKERS_END_WITHIN_MS = 20_000;

/** What publication, slot and subscription of a move are called; slots are named server by server, so it is random. */
export const replicationName = (move: string): string => `roost_move_${move}`;

/** Publishes the rows of a range, and the markers, and keeps the log from here on. */
export async function publish(source: pg.ClientBase, move: string, range: BucketRange): Promise<void> {
  const tables = PLACED.map((table) => `${table.name} WHERE ${withinSql(table, range)}`).join(", ");
  await source.query(`CREATE PUBLICATION ${replicationName(move)} FOR TABLE ${tables}, move_markers`);
  await source.query("SELECT pg_create_logical_replication_slot($1, 'pgoutput')", [replicationName(move)]);
}

/**
 * Subscribes to them: copies what is there, then follows. Returns the subscription's oid. The slot is not made here,
 * because that would never end where both shards are databases of one server. An error switches the subscription off
 * rather than being tried again for ever.
 */
export async function subscribe(target: pg.ClientBase, move: string, sourceUrl: string): Promise<number> {
  const name = replicationName(move);
  await target.query(
    `CREATE SUBSCRIPTION ${name} CONNECTION ${escapeLiteral(sourceUrl)} PUBLICATION ${name}
     WITH (create_slot = false, slot_name = '${name}', streaming = off, disable_on_error = true)`,
  );
  const oid = await subscriptionOf(target, move);
  if (oid === undefined) throw new Error(`subscription ${name} has gone`);
  return oid;
}

/** The oid of a move's subscription on this shard; undefined where there is none. */
export async function subscriptionOf(target: pg.ClientBase, move: string): Promise<number | undefined> {
  const { rows } = await target.query<{ oid: number }>(
    `SELECT oid::int FROM pg_subscription
     WHERE subname = $1 AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    [replicationName(move)],
  );
  return rows[0]?.oid;
}

/** How far a subscription is. */
export interface CopyState {
  /** Switched off by an error, which the target's log tells. */
  failed: boolean;
  /** Tables that have been copied, and how many there are. */
  copied: number;
  tables: number;
  /** Rows and bytes that the copies under way have read. */
  rows: number;
  bytes: number;
}

export async function copyState(target: pg.ClientBase, move: string): Promise<CopyState> {
  const { rows } = await target.query<
    Record<"copied" | "tables" | "rows" | "bytes", string> & { failed: boolean }
  >(
    `SELECT NOT s.subenabled AS failed,
            (SELECT count(*) FROM pg_subscription_rel r WHERE r.srsubid = s.oid AND r.srsubstate = 'r') AS copied,
            (SELECT count(*) FROM pg_subscription_rel r WHERE r.srsubid = s.oid) AS tables,
            coalesce(sum(c.tuples_processed), 0) AS rows, coalesce(sum(c.bytes_processed), 0) AS bytes
     FROM pg_subscription s
     LEFT JOIN pg_stat_subscription w ON w.subid = s.oid AND w.relid IS NOT NULL
     LEFT JOIN pg_stat_progress_copy c ON c.pid = w.pid
     WHERE s.subname = $1 GROUP BY s.oid, s.subenabled`,
    [replicationName(move)],
  );
  const [row] = rows;
  if (!row) return { failed: true, copied: 0, tables: 0, rows: 0, bytes: 0 };
  return {
    failed: row.failed,
    copied: Number(row.copied),
    tables: Number(row.tables),
    rows: Number(row.rows),
    bytes: Number(row.bytes),
  };
}

/** Bytes of the source's log that the target has not confirmed yet; undefined where there is no slot. */
export async function lagBytes(source: pg.ClientBase, move: string): Promise<number | undefined> {
  const { rows } = await source.query<{ lag: string | null }>(
    `SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn) AS lag
     FROM pg_replication_slots WHERE slot_name = $1`,
    [replicationName(move)],
  );
  return rows[0]?.lag === undefined || rows[0].lag === null ? undefined : Number(rows[0].lag);
}

/**
 * Ends a move's subscription and waits until none of its workers writes any more. Never talks to the source, which may have
 * lost the slot in a failover.
 */
export async function unsubscribe(target: pg.ClientBase, move: string): Promise<void> {
  const name = replicationName(move);
  if ((await subscriptionOf(target, move)) === undefined) return;
  await target.query(`ALTER SUBSCRIPTION ${name} DISABLE`);
  for (const deadline = Date.now() + WORKERS_END_WITHIN_MS; ; await sleep(LOOK_EVERY_MS)) {
    const { rows } = await target.query<{ n: number }>(
      "SELECT count(*)::int AS n FROM pg_stat_subscription WHERE subname = $1 AND pid IS NOT NULL",
      [name],
    );
    if (rows[0]?.n === 0) break;
    if (Date.now() > deadline) throw new Error(`the workers of subscription ${name} do not end`);
  }
  await target.query(`ALTER SUBSCRIPTION ${name} SET (slot_name = NONE)`);
  await target.query(`DROP SUBSCRIPTION ${name}`);
}

/** Lets go of the log that is kept for a move, and of what is published for it. */
export async function unpublish(
  source: pg.ClientBase,
  move: string,
  subscription: number | null,
): Promise<void> {
  for (const deadline = Date.now() + WORKERS_END_WITHIN_MS; ; await sleep(LOOK_EVERY_MS)) {
    const { rows } = await source.query<{ slot: string; busy: boolean }>(
      `SELECT slot_name AS slot, active AS busy FROM pg_replication_slots
       WHERE database = current_database() AND (slot_name = $1 OR starts_with(slot_name, 'pg_' || $2 || '_sync_'))`,
      [replicationName(move), subscription ?? "none"],
    );
    if (rows.length === 0) break;
    if (Date.now() > deadline) throw new Error(`slot ${rows[0]?.slot} stays in use`);
    for (const { slot } of rows.filter(({ busy }) => !busy)) {
      // One that is gone, or taken, by now is looked at again.
      await source.query("SELECT pg_drop_replication_slot($1)", [slot]).catch(() => {});
    }
  }
  await source.query(`DROP PUBLICATION IF EXISTS ${escapeIdentifier(replicationName(move))}`);
}

/** Moves that left a subscription on this shard, whatever has become of them. */
export async function subscribedMoves(target: pg.ClientBase): Promise<string[]> {
  return named(
    target,
    "pg_subscription",
    "subname",
    "subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())",
  );
}

/** Moves that left a publication or a slot on this shard. */
export async function publishedMoves(source: pg.ClientBase): Promise<string[]> {
  const publications = await named(source, "pg_publication", "pubname", "true");
  const slots = await named(source, "pg_replication_slots", "slot_name", "database = current_database()");
  return [...new Set([...publications, ...slots])];
}

async function named(
  client: pg.ClientBase,
  catalogue: string,
  column: string,
  where: string,
): Promise<string[]> {
  const prefix = replicationName("");
  const { rows } = await client.query<{ name: string }>(
    `SELECT ${column}::text AS name FROM ${catalogue} WHERE ${where} AND starts_with(${column}::text, $1)`,
    [prefix],
  );
  return rows.map(({ name }) => name.slice(prefix.length));
}
