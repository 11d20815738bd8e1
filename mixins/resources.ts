import type { Middleware, ServiceBroker } from "moleculer";
import type { Env } from "../config/env.ts";
import { Metrics } from "./metrics.ts";
import { requireNats } from "./nats.ts";
import { nothingWaitsForRedis } from "./outbox.repo.ts";
import { RedisStore, type RedisStoreOptions } from "./redis/index.ts";
import { ShardDb } from "./shard-db/index.ts";
import { requireCurrentSchema } from "./shard-db/migrate.ts";

/** What the services of one process share. */
export interface Resources {
  env: Env;
  db: ShardDb;
  /** undefined: this process runs without Redis. */
  redis: RedisStore | undefined;
  metrics: Metrics;
  /** Where /metrics listens, once started. */
  metricsPort: number;
}

const byBroker = new WeakMap<ServiceBroker, Resources>();

/** How a process keeps things in Redis. */
export function storeOptions({ redisPrefix, homeListMaxAgeMs }: Env): RedisStoreOptions {
  return { prefix: redisPrefix, maxAgeMs: homeListMaxAgeMs };
}

/** The resources of the process that a broker runs in. */
export function resourcesOf(broker: ServiceBroker): Resources {
  const resources = byBroker.get(broker);
  if (!resources) throw new Error("this broker was created without the resources middleware");
  return resources;
}

/** Gives a broker its resources: made with it, opened before its services start, closed after they have stopped. */
export function resourcesMiddleware(env: Env): Middleware {
  const metrics = new Metrics();
  const resources: Resources = {
    env,
    db: new ShardDb(env.topology, {
      poolSize: env.poolSize,
      prepare: env.prepare,
      application: env.nodeId ?? "roost",
      maxLagMs: env.replicaMaxLagMs,
      onRead: (shard, { isReplica, excuse = "" }) =>
        metrics.dbReads.inc({ shard, by: isReplica ? "replica" : "primary", why: excuse }),
    }),
    redis: env.redisUrl ? new RedisStore(env.redisUrl, storeOptions(env)) : undefined,
    metrics,
    metricsPort: 0,
  };
  return {
    name: "Resources",
    created(broker: ServiceBroker) {
      byBroker.set(broker, resources);
    },
    async starting() {
      await requireCurrentSchema(env.topology);
      if (env.natsUrl) await requireNats(env.natsUrl);
      await resources.db.open();
      await resources.redis?.open();
      await resources.redis?.watch(() => nothingWaitsForRedis(resources.db));
      resources.metricsPort = await resources.metrics.listen(env.host, env.metricsPort);
      resources.metrics.onScrape(() => reportShards(resources));
    },
    async stopped() {
      await resources.metrics.close();
      await resources.redis?.close();
      await resources.db.close();
    },
  };
}

function reportShards({ db, metrics }: Resources): void {
  metrics.mapEpoch.set(db.router.epoch);
  for (const { shard, hasPrimary, timeline } of db.shardStates()) {
    metrics.shardHasPrimary.set({ shard }, hasPrimary ? 1 : 0);
    metrics.shardTimeline.set({ shard }, timeline);
  }
  for (const { shard, address: replica, lagBytes, lagSeconds, inRotation } of db.replicaStates()) {
    metrics.replicaLagBytes.set({ shard, replica }, lagBytes);
    metrics.replicaLagSeconds.set({ shard, replica }, lagSeconds);
    metrics.replicaInRotation.set({ shard, replica }, inRotation ? 1 : 0);
  }
}
