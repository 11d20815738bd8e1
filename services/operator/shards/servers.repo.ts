import type pg from "pg";
import { sqlState } from "../../../mixins/shard-db/pools.ts";
import type { MapEntry, ShardMapRow } from "./map.ts";

/** What a server says of itself. */
export interface ServerAnswer {
  /** The shard it says it is of; undefined: it has no placement yet. */
  shard: string | undefined;
  inRecovery: boolean;
  deposed: boolean;
  /** 0 on a replica. */
  timeline: number;
  placement: ShardMapRow | undefined;
  bytes: number;
  /** Rows of the tables, as the planner estimates them. */
  rows: number;
}

/** One for all movers (with 1 and a bucket: those of the fence). */
const MOVERS_LOCK = 7_072_010;

export async function askServer(client: pg.Client): Promise<ServerAnswer> {
  const { rows } = await client.query<{
    recovering: boolean;
    timeline: number;
    placed: boolean;
    bytes: string;
    rows: string;
  }>(
    `SELECT pg_is_in_recovery() AS recovering, to_regclass('placement') IS NOT NULL AS placed,
            CASE WHEN pg_is_in_recovery() THEN 0
                 ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int END AS timeline,
            pg_database_size(current_database()) AS bytes,
            (SELECT coalesce(sum(greatest(reltuples, 0)), 0)::bigint FROM pg_class
             WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace) AS rows`,
  );
  const [here] = rows;
  const placed = here?.placed
    ? await client.query<{ shard: string; epoch: string; map: MapEntry[]; deposed_by: number | null }>(
        "SELECT shard, epoch, map, deposed_by FROM placement",
      )
    : undefined;
  const row = placed?.rows[0];
  return {
    shard: row?.shard,
    inRecovery: here?.recovering ?? false,
    deposed: (row?.deposed_by ?? null) !== null,
    timeline: here?.timeline ?? 0,
    placement: row && { epoch: Number(row.epoch), map: row.map },
    bytes: Number(here?.bytes),
    rows: Number(here?.rows),
  };
}

/** The map that this server has. */
export async function heldMap(client: pg.ClientBase): Promise<ShardMapRow | undefined> {
  const { rows } = await client.query<{ epoch: string; map: MapEntry[] }>("SELECT epoch, map FROM placement");
  const [row] = rows;
  return row && { epoch: Number(row.epoch), map: row.map };
}

/** Takes the lock that one mover has, until the connection ends. False where another has it. */
export async function lockMovers(client: pg.Client, withinMs: number): Promise<boolean> {
  try {
    await client.query(`SET lock_timeout = ${withinMs}`);
    await client.query("SELECT pg_advisory_lock($1)", [MOVERS_LOCK]);
    return true;
  } catch (error) {
    if (sqlState(error) === "55P03") return false;
    throw error;
  } finally {
    await client.query("RESET lock_timeout");
  }
}

/** Whether this server took the map, rather than having one as new. */
export async function bringMap(client: pg.Client, epoch: number, map: readonly MapEntry[]): Promise<boolean> {
  const { rows } = await client.query<{ taken: boolean }>("SELECT adopt_map($1, $2) AS taken", [
    epoch,
    JSON.stringify(map),
  ]);
  return rows[0]?.taken ?? false;
}

/** The same, but only where this server's map is the one of an epoch; false where it has a newer one. */
export async function replaceMap(
  client: pg.Client,
  expected: number,
  { epoch, map }: ShardMapRow,
): Promise<boolean> {
  await client.query("BEGIN");
  try {
    const { rows } = await client.query<{ epoch: string }>("SELECT epoch FROM placement FOR UPDATE");
    const isAsExpected = Number(rows[0]?.epoch) === expected;
    if (isAsExpected) await bringMap(client, epoch, map);
    await client.query("COMMIT");
    return isAsExpected;
  } catch (error) {
    await client.query("ROLLBACK").catch(() => {});
    throw error;
  }
}
