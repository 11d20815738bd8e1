import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Server } from "../server.ts";
import { assignPorts, type State, saveState } from "../state.ts";
import type { Supervisor } from "../supervisor.ts";
import { findPostgres } from "./binaries.ts";
import { chooseIdentity } from "./identity.ts";
import type { Member } from "./member.ts";
import { type RunningShard, startShard } from "./shard.ts";

/** How many shards to bring up, with how many standbys each. */
export interface PostgresOptions {
  dataDir: string;
  shards: number;
  standbys: number;
}

const BUCKETS = 1024;
const MANY_SERVERS = 4;

/** Brings up all shards at once and writes the topology file, whose path it returns with the servers. */
export async function startPostgres(
  options: PostgresOptions,
  state: State,
  supervisor: Supervisor,
): Promise<{ topologyFile: string; servers: Server[] }> {
  const { dataDir, shards, standbys } = options;
  const identity = chooseIdentity(dataDir, state.id, findPostgres());
  const names = Array.from({ length: shards }, (_, index) => `s${index}`);
  const members = new Map(names.map((name) => [name, memberIds(identity.home, name, standbys)]));
  await assignPorts(state, [...members.values()].flat().map(portName));
  saveState(dataDir, state);
  const context = {
    identity,
    supervisor,
    secrets: state.secrets,
    logDir: join(dataDir, "logs"),
    sharedBuffers: shards * (1 + standbys) >= MANY_SERVERS ? "64MB" : "128MB",
  };
  const running = await Promise.all(
    names.map((name) => {
      const ids = members.get(name) ?? [];
      const found = ids.map((id) => memberOf(identity.home, id, state));
      return startShard(name, found, standbys, context);
    }),
  );
  const topologyFile = join(dataDir, "topology.json");
  writeFileSync(topologyFile, `${JSON.stringify(topologyOf(names, running, state), null, 2)}\n`, {
    mode: 0o600,
  });
  return { topologyFile, servers: running.flatMap(({ primary, standbys }) => [primary, ...standbys]) };
}

/** The data directories that a shard has or needs: after a promotion the primary can be any of them. */
function memberIds(home: string, shard: string, standbys: number): string[] {
  const pattern = new RegExp(`^${shard}-\\d+$`);
  const found = existsSync(home) ? readdirSync(home).filter((name) => pattern.test(name)) : [];
  const wanted = Array.from({ length: standbys + 1 }, (_, index) => `${shard}-${index}`);
  return [...new Set([...wanted, ...found])];
}

function memberOf(home: string, id: string, state: State): Member {
  return { id, directory: join(home, id), port: state.ports[portName(id)] ?? 0 };
}

function portName(id: string): string {
  return `pg-${id}`;
}

function topologyOf(names: string[], running: RunningShard[], state: State) {
  const url = (server: Server) => `postgres://roost:${state.secrets.postgres}@127.0.0.1:${server.port}/roost`;
  return {
    shards: names.map((name, index) => {
      const first = Math.floor((index * BUCKETS) / names.length);
      const last = Math.floor(((index + 1) * BUCKETS) / names.length) - 1;
      const shard = running[index];
      return {
        name,
        primary: shard === undefined ? "" : url(shard.primary),
        replicas: shard === undefined ? [] : shard.standbys.map(url),
        buckets: [[first, last]],
      };
    }),
  };
}
