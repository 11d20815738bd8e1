import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import type { BucketRange } from "../config/topology.ts";

/** A shard as its data directory remembers it. */
export interface ShardState {
  name: string;
  /** The buckets that it had when it was made: the shard map in Postgres says which it has now. */
  buckets: BucketRange[];
  /** The directories of its servers, whatever their roles: "s0-0", "s0-1". */
  members: string[];
  /** The member that was in charge last. */
  primary: string;
}

/** One server, a pair under Sentinel, a cluster. */
export type RedisForm = "single" | "sentinel" | "cluster";

/** What a data directory remembers between runs. */
export interface State {
  /** Names what belongs to this data directory but has to lie elsewhere. */
  id: string;
  shards: ShardState[];
  redis: RedisForm;
  /** Whether a commit waits for a standby. */
  sync: boolean;
  ports: Record<string, number>;
  secrets: { superuser: string; postgres: string; redis: string; nats: string; control: string };
}

const BUS_OFFSET = 10_000;
// Ports and the bus ports of Redis Cluster neither meet each other nor the ports of outgoing connections (32768 and up).
const FIRST_PORT = 10_500;
const LAST_PORT = 20_400;

/** Ports given out by this process: a server takes a moment before it listens. */
const reserved = new Set<number>();

/** Makes the data directory where it is missing; only its owner can enter it. */
export function makeDataDir(dataDir: string): void {
  mkdirSync(join(dataDir, "logs"), { recursive: true, mode: 0o700 });
  chmodSync(dataDir, 0o700);
}

/**
 * The state of a data directory; undefined where it has none yet.
 * @throws a one-line error where another version of Roost has written it
 */
export function loadState(dataDir: string): State | undefined {
  const file = stateFile(dataDir);
  if (!existsSync(file)) return undefined;
  // The cast: the file is written by saveState alone, whole, through rename(2).
  const state = JSON.parse(readFileSync(file, "utf8")) as State;
  if (Array.isArray(state.shards)) return state;
  throw new Error(`data directory ${dataDir} is of an older version of Roost: name another one`);
}

/** The state of a new data directory, with fresh secrets. */
export function newState(form: Pick<State, "shards" | "redis" | "sync">): State {
  const secret = () => randomBytes(18).toString("hex");
  return {
    id: randomBytes(8).toString("hex"),
    ...form,
    ports: {},
    secrets: {
      superuser: secret(),
      postgres: secret(),
      redis: secret(),
      nats: secret(),
      control: secret(),
    },
  };
}

/** Writes the state, readable by its owner alone, in one step. */
export function saveState(dataDir: string, state: State): void {
  writeWhole(stateFile(dataDir), `${JSON.stringify(state, null, 2)}\n`);
}

/** Writes a file that its owner alone can read: whoever reads it finds the old text or the new one. */
export function writeWhole(file: string, text: string): void {
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/** Writes how to reach a stack, as an environment file for commands that are run beside it. */
export function saveEnvironment(dataDir: string, environment: Record<string, string | undefined>): void {
  const given = Object.entries(environment).filter(([, value]) => value !== undefined);
  const lines = given.map(([name, value]) => `${name}="${value}"\n`);
  writeFileSync(join(dataDir, "env"), lines.join(""), { mode: 0o600 });
}

/** Gives each name a free port on loopback: the one it had before where that is still free. */
export async function assignPorts(state: State, names: string[]): Promise<void> {
  for (const name of names) {
    const before = state.ports[name];
    const keeps = before !== undefined && (await isFree(before));
    state.ports[name] = keeps ? before : await freePort();
  }
}

async function freePort(): Promise<number> {
  for (let tries = 0; tries < 1000; tries++) {
    const port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT));
    if (reserved.has(port)) continue;
    reserved.add(port);
    if ((await isFree(port)) && (await isFree(port + BUS_OFFSET))) return port;
  }
  throw new Error(`no free port between ${FIRST_PORT} and ${LAST_PORT} on 127.0.0.1`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => resolve(true)));
  });
}

function stateFile(dataDir: string): string {
  return join(dataDir, "state.json");
}
