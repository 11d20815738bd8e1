import { Redis } from "ioredis";
import { connect } from "nats";
import { Client } from "pg";
import { readTopologyFile } from "../config/topology.ts";
import { natsOptions } from "../mixins/nats.ts";
import { parseRedisUrl } from "../mixins/redis/address.ts";
import type { ExternalServers } from "./types.ts";

const BOUND_MS = 5_000;

/**
 * Takes the servers that the environment names (TOPOLOGY_FILE, REDIS_URL, NATS_URL) and checks that each of them
 * answers.
 * @throws a one-line error that names the variable, the server without its password, and the fault
 */
export async function externalServers(env: NodeJS.ProcessEnv): Promise<ExternalServers> {
  const external = {
    topologyFile: env.TOPOLOGY_FILE || undefined,
    redisUrl: env.REDIS_URL || undefined,
    natsUrl: env.NATS_URL || undefined,
  };
  const { topologyFile, redisUrl, natsUrl } = external;
  if (topologyFile !== undefined)
    await named("TOPOLOGY_FILE", topologyFile, () => checkTopology(topologyFile));
  if (redisUrl !== undefined) await named("REDIS_URL", redisUrl, () => checkRedis(redisUrl));
  if (natsUrl !== undefined) await named("NATS_URL", natsUrl, () => checkNats(natsUrl));
  return external;
}

/** The URL, or comma list of URLs, without its credentials. */
export function redact(url: string): string {
  return url.replace(/\/\/[^@/\s]*@/g, "//");
}

async function named(variable: string, value: string, check: () => Promise<void>): Promise<void> {
  try {
    await check();
  } catch (error) {
    throw new Error(`${variable} ${redact(value)}: ${redact(faultOf(error))}`);
  }
}

/** Connecting to a name with several addresses fails with one error for each, and an empty message. */
function faultOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === "") return error.errors.map(faultOf).join("; ");
  const message = Error.isError(error) ? error.message : String(error);
  return message.split("\n")[0] || "no answer";
}

async function checkTopology(file: string): Promise<void> {
  const { shards } = readTopologyFile(file);
  const urls = shards.flatMap((shard) => [shard.primary, ...shard.replicas]);
  await Promise.all(
    urls.map(async (url) => {
      try {
        await checkPostgres(url);
      } catch (error) {
        throw new Error(`${redact(url)}: ${faultOf(error)}`);
      }
    }),
  );
}

async function checkPostgres(url: string): Promise<void> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: BOUND_MS });
  try {
    await client.connect();
    await client.query("SELECT 1");
  } finally {
    await client.end().catch(() => {});
  }
}

/** One answering node is enough: a cluster or a set of sentinels may have some down. */
async function checkRedis(url: string): Promise<void> {
  const { nodes, tls, ...address } = parseRedisUrl(url);
  const { username, password } = address;
  const options = {
    username: address.kind === "sentinel" ? undefined : username,
    password,
    tls: tls ? {} : undefined,
  };
  try {
    await Promise.any(nodes.map((node) => ping(new Redis({ ...options, ...node, ...ONCE }))));
  } catch (error) {
    throw error instanceof AggregateError ? error.errors[0] : error;
  }
}

const ONCE = {
  lazyConnect: true,
  connectTimeout: BOUND_MS,
  maxRetriesPerRequest: 0,
  enableReadyCheck: false,
  retryStrategy: () => null,
} as const;

async function ping(client: Redis): Promise<void> {
  let fault: Error | undefined;
  client.on("error", (error: Error) => {
    fault ??= error;
  });
  try {
    await client.connect();
    await client.ping();
  } catch (error) {
    // What connect() rejects with is "Connection is closed."; the event before it has the reason.
    throw fault ?? error;
  } finally {
    client.disconnect();
  }
}

async function checkNats(url: string): Promise<void> {
  const connection = await connect({ ...natsOptions(url), timeout: BOUND_MS, reconnect: false });
  await connection.close();
}
