import { rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import type { Server } from "../server.ts";
import type { State } from "../state.ts";
import type { Supervisor } from "../supervisor.ts";
import type { Identity } from "./identity.ts";
import {
  configure,
  copyFrom,
  exists,
  initialise,
  isCleanlyStopped,
  isStandby,
  type Member,
  removeStalePidFile,
  serverOf,
  timelineOf,
} from "./member.ts";

/** What all shards of a stack have in common. */
export interface PostgresContext {
  identity: Identity;
  supervisor: Supervisor;
  secrets: State["secrets"];
  logDir: string;
  sharedBuffers: string;
}

/** A shard that runs: its first server is the primary. */
export interface RunningShard {
  primary: Server;
  standbys: Server[];
}

interface Roles {
  primary: Member;
  standbys: Member[];
}

const STREAMING_BOUND_MS = 60_000;

/**
 * Brings up a primary and its streaming standbys from the shard's data directories, making those that are missing.
 * After a promotion in an earlier run the promoted server stays the primary, and the others are copied from it anew.
 */
export async function startShard(
  shard: string,
  members: Member[],
  standbyCount: number,
  context: PostgresContext,
): Promise<RunningShard> {
  for (const member of members) removeStalePidFile(member);
  const { roles, stale } = assignRoles(members, standbyCount);
  const server = (member: Member, name: string, standby: boolean) =>
    serverOf(member, { ...context, name, standby });
  const primary = server(roles.primary, `pg-${shard}-primary`, false);
  const standbys = roles.standbys.map((member, index) =>
    server(member, `pg-${shard}-replica-${index + 1}`, true),
  );

  if (!exists(roles.primary)) await initialise(roles.primary, context.identity, context.secrets.superuser);
  configure(roles.primary, context.identity, settingsOf(roles, roles.primary, primary.name, context));
  if (stale.length > 0) {
    if (!isCleanlyStopped(roles.primary)) {
      await primary.start();
      await primary.stop();
    }
    await Promise.all(stale.map((member) => copyFrom(roles.primary, member, context.identity)));
  }
  roles.standbys.forEach((member, index) => {
    const name = standbys[index]?.name ?? member.id;
    configure(member, context.identity, settingsOf(roles, member, name, context));
  });

  await primary.start();
  await prepare(roles, context);
  await Promise.all(standbys.map((standby) => standby.start()));
  await waitUntilStreaming(shard, roles, context);
  return { primary, standbys };
}

/** Two directories that both claim to be the primary mean a promotion: the later timeline holds the truth. */
function assignRoles(members: Member[], standbyCount: number): { roles: Roles; stale: Member[] } {
  const claimants = members.filter((member) => exists(member) && !isStandby(member));
  const ordered = claimants.toSorted((a, b) => timelineOf(b) - timelineOf(a));
  const primary = ordered[0] ?? members[0];
  if (primary === undefined) throw new Error("a shard needs at least one server");
  const others = members.filter((member) => member !== primary);
  const standbys = others.slice(0, standbyCount);
  // A standby without a slot may have missed what it can no longer get: it is copied anew when it is wanted again.
  for (const member of others.slice(standbyCount)) rmSync(member.directory, { recursive: true, force: true });
  const promoted = claimants.length > 1;
  return { roles: { primary, standbys }, stale: standbys.filter((each) => promoted || !exists(each)) };
}

function settingsOf(
  roles: Roles,
  member: Member,
  name: string,
  context: PostgresContext,
): Record<string, string> {
  const { postgres } = context.secrets;
  const upstream = `host=127.0.0.1 port=${roles.primary.port} user=roost password=${postgres} application_name=${name}`;
  return {
    listen_addresses: "127.0.0.1",
    port: String(member.port),
    // A socket's path may have at most 107 bytes, fewer than many a data directory.
    unix_socket_directories: "",
    cluster_name: name,
    max_connections: "200",
    shared_buffers: context.sharedBuffers,
    synchronous_commit: "on",
    wal_level: "logical",
    max_wal_senders: "16",
    max_replication_slots: "16",
    max_wal_size: "512MB",
    hot_standby: "on",
    hot_standby_feedback: "on",
    wal_retrieve_retry_interval: "200ms",
    jit: "off",
    timezone: "UTC",
    log_timezone: "UTC",
    log_line_prefix: "%m [%p] ",
    ...(member === roles.primary ? {} : { primary_conninfo: upstream, primary_slot_name: slotOf(member) }),
  };
}

/** Makes the role, the database and a slot for each standby, and drops the slots of standbys that are no more. */
async function prepare(roles: Roles, { secrets }: PostgresContext): Promise<void> {
  const slots = roles.standbys.map(slotOf);
  await withClient(roles.primary, secrets.superuser, async (client) => {
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
    const role = await client.query("SELECT FROM pg_roles WHERE rolname = 'roost'");
    const attributes = `LOGIN CREATEDB REPLICATION PASSWORD '${secrets.postgres}'`;
    if (role.rowCount === 0) await client.query(`CREATE ROLE roost ${attributes}`);
    await client.query("GRANT pg_monitor, pg_create_subscription, pg_signal_backend TO roost");
    const database = await client.query("SELECT FROM pg_database WHERE datname = 'roost'");
    if (database.rowCount === 0) await client.query("CREATE DATABASE roost OWNER roost");
  });
}

/** Until then a replica may not even know the database. */
async function waitUntilStreaming(shard: string, roles: Roles, { secrets }: PostgresContext): Promise<void> {
  if (roles.standbys.length === 0) return;
  const deadline = Date.now() + STREAMING_BOUND_MS;
  const until = async (client: Client, text: string, values: unknown[]) => {
    while ((await client.query(text, values)).rowCount === 0) {
      if (Date.now() > deadline) throw new Error(`shard ${shard}: its replicas do not follow within 60 s`);
      await sleep(30);
    }
  };
  let position: unknown;
  await withClient(roles.primary, secrets.superuser, async (client) => {
    const text = "SELECT FROM pg_stat_replication WHERE state = 'streaming' HAVING count(*) >= $1";
    await until(client, text, [roles.standbys.length]);
    position = (await client.query("SELECT pg_current_wal_lsn() AS position")).rows[0].position;
  });
  await Promise.all(
    roles.standbys.map((standby) =>
      withClient(standby, secrets.superuser, (client) =>
        until(client, "SELECT WHERE pg_last_wal_replay_lsn() >= $1::pg_lsn", [position]),
      ),
    ),
  );
}

async function withClient(
  member: Member,
  password: string,
  use: (client: Client) => Promise<void>,
): Promise<void> {
  const client = new Client({
    host: "127.0.0.1",
    port: member.port,
    user: "postgres",
    password,
    database: "postgres",
    connectionTimeoutMillis: 10_000,
  });
  await client.connect();
  try {
    await use(client);
  } finally {
    await client.end();
  }
}

function slotOf(member: Member): string {
  return `member_${member.id.replaceAll("-", "_")}`;
}
