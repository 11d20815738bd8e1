import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Redis } from "ioredis";
import { Client } from "pg";
import { BUCKETS, readTopologyFile, type Topology } from "../../config/topology.ts";
import { parseRedisUrl } from "../../mixins/redis/address.ts";
import {
  bringUp,
  removeDataDir,
  type ServerHandle,
  type Stack,
  type StackOptions,
  type TopologyName,
} from "../../stack/index.ts";
import { withRedis } from "../../stack/redis/client.ts";

/** Fresh, empty databases that stand for the shards of a topology. */
export interface TestShards {
  topology: Topology;
  topologyFile: string;
  /** Drops the databases, whoever is still connected. */
  drop(): Promise<void>;
}

/** A stack of a test's own, to be broken. */
export interface OwnStack extends Stack {
  dataDir: string;
  /** Stops the stack and removes its data. */
  destroy(): Promise<void>;
}

/** The address of a server that the global set-up provides. */
export function serverUrl(name: "PG" | "REDIS" | "NATS"): string {
  const url = process.env[`ROOST_TEST_${name}_URL`];
  if (url === undefined)
    throw new Error(`ROOST_TEST_${name}_URL is not set: this test needs the global set-up`);
  return url;
}

/** Creates `count` empty databases, to which the caller applies the migrations, and splits the buckets among them. */
export async function createShards(count: number): Promise<TestShards> {
  const run = randomBytes(6).toString("hex");
  const databases = Array.from({ length: count }, (_, index) => `roost_test_${run}_s${index}`);
  await onServer(databases.map((name) => `CREATE DATABASE ${name}`));
  const topology: Topology = {
    shards: databases.map((database, index) => ({
      name: `s${index}`,
      primary: withDatabase(serverUrl("PG"), database),
      replicas: [],
      buckets: [[Math.floor((index * BUCKETS) / count), Math.floor(((index + 1) * BUCKETS) / count) - 1]],
    })),
  };
  const directory = mkdtempSync(join(tmpdir(), "roost-shards-"));
  const topologyFile = join(directory, "topology.json");
  writeFileSync(topologyFile, JSON.stringify(topology), { mode: 0o600 });
  return {
    topology,
    topologyFile,
    drop: async () => {
      await onServer(databases.map((name) => `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`));
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Brings up servers from local binaries, in a temporary data directory where none is named. */
export async function ownStack(
  options: Omit<StackOptions, "dataDir"> & { dataDir?: string },
): Promise<OwnStack> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), "roost-stack-"));
  const stack = await bringUp({ ...options, dataDir });
  return {
    ...stack,
    dataDir,
    destroy: async () => {
      await stack.stop();
      removeDataDir(dataDir);
    },
  };
}

/** The shards of a test's own stack. */
export function shardsOf(stack: OwnStack): TestShards {
  const { topologyFile } = stack;
  return { topology: readTopologyFile(topologyFile), topologyFile, drop: () => stack.destroy() };
}

/** A Redis deployment of a test's own. */
export interface OwnRedis extends OwnStack {
  redisUrl: string;
  /** Asks one of its servers something. */
  ask<T>(server: ServerHandle, use: (client: Redis) => Promise<T>): Promise<T>;
}

/** Brings up the Redis of a topology alone. */
export async function ownRedis(topology: TopologyName): Promise<OwnRedis> {
  const stack = await ownStack({ topology, nats: false, external: { topologyFile: "not needed" } });
  const { redisUrl } = stack;
  if (redisUrl === undefined) throw new Error(stack.notices.join("; "));
  const password = parseRedisUrl(redisUrl).password ?? "";
  return { ...stack, redisUrl, ask: ({ port }, use) => withRedis({ port, password }, use) };
}

async function onServer(statements: string[]): Promise<void> {
  const client = new Client({ connectionString: serverUrl("PG") });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

function withDatabase(url: string, database: string): string {
  const parsed = new URL(url);
  parsed.pathname = `/${database}`;
  return parsed.href;
}
