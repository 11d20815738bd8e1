import { randomBytes } from "node:crypto";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import { readTopologyFile } from "../../config/topology.ts";
import {
  dockerAnswers,
  natsContainer,
  postgresContainer,
  redisContainer,
  type ServerContainer,
} from "../../stack/docker.ts";
import { bringUp, removeDataDir, type Stack } from "../../stack/index.ts";

/** The servers for ordinary tests, as environment variables. */
export interface TestServers {
  /** A Postgres role that may create databases. */
  ROOST_TEST_PG_URL: string;
  /** One standalone Redis. */
  ROOST_TEST_REDIS_URL: string;
  ROOST_TEST_NATS_URL: string;
}

const POSTGRES = "pg-s0-0";
/** For the pools of several nodes of each of the tests that run at the same time, and for what moves their buckets. */
const ROOM = {
  max_connections: 600,
  max_worker_processes: 40,
  max_logical_replication_workers: 24,
  max_replication_slots: 40,
  max_wal_senders: 40,
};

/** Servers, and how to stop those that were started for them. */
export interface Provided {
  servers: TestServers;
  stop(): Promise<void>;
}

/**
 * Servers in this order: those that the environment names; containers where Docker answers; local binaries in a
 * temporary data directory.
 * @throws a one-line error when a server is to be had in none of these ways
 */
export async function provideServers(env: NodeJS.ProcessEnv): Promise<Provided> {
  const given = givenServers(env);
  if (isComplete(given)) return { servers: given, stop: async () => {} };
  return (await dockerAnswers(env)) ? fromDocker(given) : fromBinaries(given);
}

function givenServers(env: NodeJS.ProcessEnv): Partial<TestServers> {
  const topology = env.TOPOLOGY_FILE ? readTopologyFile(env.TOPOLOGY_FILE) : undefined;
  return {
    ROOST_TEST_PG_URL: env.ROOST_TEST_PG_URL ?? topology?.shards[0]?.primary,
    ROOST_TEST_REDIS_URL: env.ROOST_TEST_REDIS_URL ?? env.REDIS_URL,
    ROOST_TEST_NATS_URL: env.ROOST_TEST_NATS_URL ?? env.NATS_URL,
  };
}

function isComplete(servers: Partial<TestServers>): servers is TestServers {
  return (
    servers.ROOST_TEST_PG_URL !== undefined &&
    servers.ROOST_TEST_REDIS_URL !== undefined &&
    servers.ROOST_TEST_NATS_URL !== undefined
  );
}

async function fromDocker(given: Partial<TestServers>): Promise<Provided> {
  const secret = randomBytes(16).toString("hex");
  const [postgres, redis, nats] = await Promise.all([
    given.ROOST_TEST_PG_URL === undefined
      ? postgresContainer(secret, ROOM)
      : untouched(given.ROOST_TEST_PG_URL),
    given.ROOST_TEST_REDIS_URL === undefined ? redisContainer(secret) : untouched(given.ROOST_TEST_REDIS_URL),
    given.ROOST_TEST_NATS_URL === undefined ? natsContainer(secret) : untouched(given.ROOST_TEST_NATS_URL),
  ]);
  return {
    servers: {
      ROOST_TEST_PG_URL: postgres.url,
      ROOST_TEST_REDIS_URL: redis.url,
      ROOST_TEST_NATS_URL: nats.url,
    },
    stop: async () => {
      await Promise.all([postgres, redis, nats].map((each) => each.stop()));
    },
  };
}

function untouched(url: string): ServerContainer {
  return { url, stop: async () => {} };
}

async function fromBinaries(given: Partial<TestServers>): Promise<Provided> {
  const dataDir = mkdtempSync(join(tmpdir(), "roost-test-"));
  const stack = await bringUp({
    topology: "single",
    dataDir,
    redis: given.ROOST_TEST_REDIS_URL === undefined,
    nats: given.ROOST_TEST_NATS_URL === undefined,
  });
  await makeRoom(stack);
  const stop = async () => {
    await stack.stop();
    removeDataDir(dataDir);
  };
  const servers = {
    ROOST_TEST_PG_URL: given.ROOST_TEST_PG_URL ?? readTopologyFile(stack.topologyFile).shards[0]?.primary,
    ROOST_TEST_REDIS_URL: given.ROOST_TEST_REDIS_URL ?? stack.redisUrl,
    ROOST_TEST_NATS_URL: given.ROOST_TEST_NATS_URL ?? stack.natsUrl,
  };
  if (isComplete(servers)) return { servers, stop };
  await stop();
  throw new Error(`the tests need all servers: ${stack.notices.join("; ")}`);
}

async function makeRoom({ servers, adminUrl }: Stack): Promise<void> {
  const postgres = servers.find(({ name }) => name === POSTGRES);
  if (postgres === undefined) throw new Error(`no ${POSTGRES}`);
  const client = new Client({ connectionString: adminUrl(POSTGRES) });
  await client.connect();
  for (const [name, value] of Object.entries(ROOM)) await client.query(`ALTER SYSTEM SET ${name} = ${value}`);
  await client.end();
  await postgres.restart();
}
