import { type Cluster, Redis, type RedisOptions } from "ioredis";
import type { RedisAddress } from "./address.ts";
import { SlotClient } from "./slots.ts";

/** Bounds, in ms: until a connection stands; between tries, at most. */
export const CONNECT = { within: 1_000, retryWithin: 500 } as const;

const retryIn = (tries: number): number => Math.min(CONNECT.retryWithin, 50 * 2 ** tries);

/**
 * A client of the Redis that an address describes, not connected yet. It queues nothing and sends nothing twice.
 * `commandTimeoutMs` is for what the client asks by itself, such as whether a new connection is ready.
 */
export function clientOf(address: RedisAddress, commandTimeoutMs: number): Redis | Cluster {
  const common: RedisOptions = {
    username: address.username,
    password: address.password,
    tls: address.tls ? {} : undefined,
    commandTimeout: commandTimeoutMs,
    connectTimeout: CONNECT.within,
    // What does not answer does not say goodbye either.
    disconnectTimeout: 100,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    keepAlive: 10_000,
    retryStrategy: retryIn,
    lazyConnect: true,
  };
  if (address.kind === "cluster") {
    return new SlotClient(address.nodes, {
      redisOptions: common,
      clusterRetryStrategy: retryIn,
      slotsRefreshTimeout: CONNECT.within,
      slotsRefreshInterval: 2_000,
      lazyConnect: true,
    });
  }
  if (address.kind === "sentinel") {
    return new Redis({
      ...common,
      sentinels: address.nodes,
      sentinelPassword: address.password,
      name: address.name,
      // A sentinel that hangs holds nobody up.
      sentinelCommandTimeout: CONNECT.within,
      sentinelRetryStrategy: retryIn,
      // Those that are asked who is in charge, and no others.
      updateSentinels: false,
    });
  }
  return new Redis({ ...common, ...address.nodes[0], db: address.db });
}
