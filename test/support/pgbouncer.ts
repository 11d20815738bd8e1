import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import type { Topology } from "../../config/topology.ts";
import { findProgram } from "../../stack/programs/index.ts";
import { freePort } from "./cluster.ts";
import { eventually } from "./roost.ts";
import { serverUrl } from "./servers.ts";

/** Connections that the bouncer opens to each database at most. */
export const BOUNCER_POOL = 4;

/** A PgBouncer in transaction mode before the test's Postgres. */
export interface PgBouncer {
  /** A topology file with the same shards, behind the bouncer. */
  topologyFile(topology: Topology): string;
  stop(): Promise<void>;
}

/** Starts one, as docs/operations.md has it; undefined where PgBouncer is not to be had. */
export async function startPgBouncer(): Promise<PgBouncer | undefined> {
  const program = await findProgram("pgbouncer", () => {});
  if (!program) return undefined;
  const { hostname, port: behind, username, password, pathname } = new URL(serverUrl("PG"));
  const port = await freePort();
  const directory = mkdtempSync(join(tmpdir(), "roost-bouncer-"));
  // It refuses to run as root, and becomes somebody else who has to read these.
  chmodSync(directory, 0o755);
  const file = join(directory, "pgbouncer.ini");
  const users = join(directory, "userlist.txt");
  writeFileSync(users, `"${username}" "${decodeURIComponent(password)}"\n`);
  const lines = [
    "[databases]",
    `* = host=${hostname} port=${behind || 5432}`,
    "[pgbouncer]",
    "listen_addr = 127.0.0.1",
    `listen_port = ${port}`,
    "unix_socket_dir =",
    "auth_type = scram-sha-256",
    `auth_file = ${users}`,
    "pool_mode = transaction",
    `default_pool_size = ${BOUNCER_POOL}`,
    "max_client_conn = 1000",
    // The next transaction hardly ever gets the connection of the one before.
    "server_round_robin = 1",
    "ignore_startup_parameters = statement_timeout, lock_timeout, idle_in_transaction_session_timeout",
    ...(process.getuid?.() === 0 ? ["user = nobody"] : []),
  ];
  writeFileSync(file, `${lines.join("\n")}\n`);
  const child = spawn(program.command, [file], { env: program.env, stdio: "ignore" });
  const exit = once(child, "exit");
  const behindIt = (url: string) => {
    const moved = new URL(url);
    moved.host = `127.0.0.1:${port}`;
    return moved.href;
  };
  await eventually(
    () => answers(behindIt(`postgres://${username}:${password}@x${pathname}`)),
    "a PgBouncer that answers",
  );
  return {
    topologyFile: ({ shards }) => {
      const moved = join(directory, "topology.json");
      const bounced = shards.map((shard) => ({ ...shard, primary: behindIt(shard.primary) }));
      writeFileSync(moved, JSON.stringify({ shards: bounced }));
      return moved;
    },
    stop: async () => {
      child.kill("SIGTERM");
      await exit;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function answers(url: string): Promise<boolean> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 1_000 });
  client.on("error", () => {});
  return client
    .connect()
    .then(() => client.query("SELECT 1"))
    .then(
      () => true,
      () => false,
    )
    .finally(() => client.end().catch(() => {}));
}
