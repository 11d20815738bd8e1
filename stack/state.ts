import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";

/** What a data directory remembers between runs. */
export interface State {
  /** Names what belongs to this data directory but has to lie elsewhere. */
  id: string;
  /** How many shards the data is spread over; it cannot change without moving data. */
  shards: number;
  ports: Record<string, number>;
  secrets: { superuser: string; postgres: string; redis: string; nats: string };
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
 * Reads the state of a data directory, or makes a new one with fresh secrets.
 * @throws a one-line error when its data is spread over another number of shards
 */
export function loadState(dataDir: string, shards: number): State {
  const file = stateFile(dataDir);
  if (existsSync(file)) {
    // The cast: the file is written by saveState alone, whole, through rename(2).
    const state = JSON.parse(readFileSync(file, "utf8")) as State;
    if (state.shards === shards) return state;
    throw new Error(
      `data directory ${dataDir} holds ${state.shards} shard(s), not ${shards}: name another one`,
    );
  }
  const secret = () => randomBytes(18).toString("hex");
  const secrets = { superuser: secret(), postgres: secret(), redis: secret(), nats: secret() };
  return { id: randomBytes(8).toString("hex"), shards, ports: {}, secrets };
}

/** The id of a data directory that has a state already. */
export function stateId(dataDir: string): string | undefined {
  const file = stateFile(dataDir);
  // The cast: as in loadState.
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as State).id : undefined;
}

/** Writes the state, readable by its owner alone, in one step. */
export function saveState(dataDir: string, state: State): void {
  const file = stateFile(dataDir);
  writeFileSync(`${file}.new`, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
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
