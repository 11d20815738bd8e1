import { Client } from "pg";
import type { Member } from "./member.ts";

/** A Postgres server as it answered. */
export interface Standing {
  role: "primary" | "replica";
  timeline: number;
  /** How far it has written, or as a replica received and replayed: a `pg_lsn`. */
  position: string;
  /** The same in bytes of WAL. */
  bytes: bigint;
}

export const SUPERUSER = "postgres";
const CONNECT_BOUND_MS = 2_000;
const PROMOTE_BOUND_S = 60;
/** A server that hangs holds up nobody for good, in ms; a checkpoint, which a copy begins with, may take long. */
const QUERY_BOUND_MS = 5 * 60_000;

/**
 * Runs `use` on a connection as the superuser, to the database `postgres`. What it commits waits for no standby.
 * @throws where the server does not answer within two seconds, or a query takes longer than `queryBoundMs`
 */
export async function withAdmin<T>(
  member: Pick<Member, "port">,
  password: string,
  use: (client: Client) => Promise<T>,
  queryBoundMs = QUERY_BOUND_MS,
): Promise<T> {
  const client = new Client({
    query_timeout: queryBoundMs,
    host: "127.0.0.1",
    port: member.port,
    user: SUPERUSER,
    password,
    database: "postgres",
    connectionTimeoutMillis: CONNECT_BOUND_MS,
    options: "-c synchronous_commit=local",
  });
  // Errors reach the caller through the queries; without a listener a broken connection would end the process.
  client.on("error", () => {});
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end().catch(() => {});
  }
}

/** Asks a server how it stands. Throws where it does not answer within two seconds. */
export function standingOf(member: Pick<Member, "port">, password: string): Promise<Standing> {
  const ask = async (client: Client): Promise<Standing> => {
    const { replica, timeline, position, bytes } = (await client.query(STANDING)).rows[0];
    return { role: replica ? "replica" : "primary", timeline, position, bytes: BigInt(bytes) };
  };
  return withAdmin(member, password, ask, CONNECT_BOUND_MS);
}

/**
 * A replica that receives nothing any more has the timeline of its newest WAL: what its control file says is as old as its
 * latest restartpoint. (A history file tells nothing: it has that of a timeline that it cannot follow, too.)
 */
const STANDING = `
  WITH here AS (
    SELECT pg_is_in_recovery() AS replica,
      CASE WHEN pg_is_in_recovery() THEN greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
           ELSE pg_current_wal_lsn() END AS position)
  SELECT replica, position, pg_wal_lsn_diff(position, '0/0')::text AS bytes,
    CASE WHEN replica THEN coalesce((SELECT received_tli FROM pg_stat_wal_receiver),
           (SELECT max(('x' || left(name, 8))::bit(32)::int) FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}'))
         ELSE ('x' || left(pg_walfile_name(position), 8))::bit(32)::int END AS timeline
  FROM here`;

/** Makes the role and the database of Roost where they are missing. */
export async function makeDatabase(client: Client, password: string): Promise<void> {
  const role = await client.query("SELECT FROM pg_roles WHERE rolname = 'roost'");
  const attributes = `LOGIN CREATEDB REPLICATION PASSWORD '${password}'`;
  if (role.rowCount === 0) await client.query(`CREATE ROLE roost ${attributes}`);
  await client.query("GRANT pg_monitor, pg_create_subscription, pg_signal_backend TO roost");
  const database = await client.query("SELECT FROM pg_database WHERE datname = 'roost'");
  if (database.rowCount === 0) await client.query("CREATE DATABASE roost OWNER roost");
}

/** Makes a slot for each standby, so that its primary keeps what it has not received, and drops those of former ones. */
export async function keepSlots(client: Client, slots: string[]): Promise<void> {
  await client.query(
    `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
    WHERE slot_type = 'physical' AND NOT active AND slot_name LIKE 'member\\_%' AND slot_name <> ALL ($1)`,
    [slots],
  );
  await client.query(
    `SELECT pg_create_physical_replication_slot(name, true) FROM unnest($1::text[]) AS name
    WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = name)`,
    [slots],
  );
}

/** Has a server read its settings again; whom it follows is what its own file says, not what was set by hand. */
export async function reload(client: Client): Promise<void> {
  for (const name of ["primary_conninfo", "primary_slot_name", "synchronous_standby_names"])
    await client.query(`ALTER SYSTEM RESET ${name}`);
  await client.query("SELECT pg_reload_conf()");
}

/** Makes a replica the primary and waits until it is. Throws where it is not within a minute. */
export async function promote(client: Client): Promise<void> {
  const { rows } = await client.query("SELECT NOT pg_is_in_recovery() OR pg_promote(true, $1) AS promoted", [
    PROMOTE_BOUND_S,
  ]);
  if (!rows[0].promoted) throw new Error(`it was not promoted within ${PROMOTE_BOUND_S} s`);
}

/** Which of a primary's standbys stream, by the names of their servers. */
export async function streamingStandbys(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ application_name: string }>(
    "SELECT application_name FROM pg_stat_replication WHERE state = 'streaming'",
  );
  return rows.map(({ application_name }) => application_name);
}

export async function currentPosition(client: Client): Promise<string> {
  return (await client.query("SELECT pg_current_wal_lsn() AS position")).rows[0].position;
}

/** Whether a replica has replayed as far as a position. */
export async function hasReplayed(client: Client, position: string): Promise<boolean> {
  const { rows } = await client.query("SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn AS yes", [position]);
  return rows[0].yes === true;
}

/** Runs `copy` while the server is being backed up; answers what the copy needs as backup_label and tablespace_map. */
export async function backUp(
  client: Client,
  label: string,
  copy: () => Promise<void>,
): Promise<{ label: string; tablespaces: string }> {
  await client.query("SELECT pg_backup_start($1, fast => true)", [label]);
  await copy();
  const { rows } = await client.query(
    "SELECT labelfile, spcmapfile FROM pg_backup_stop(wait_for_archive => false)",
  );
  return { label: rows[0].labelfile, tablespaces: rows[0].spcmapfile };
}
