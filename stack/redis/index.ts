import type { Server } from "../server.ts";
import { assignPorts, type RedisForm, type State } from "../state.ts";
import { startCluster } from "./cluster.ts";
import { startSentinel } from "./sentinel.ts";
import { type RedisContext, redisServer } from "./server.ts";

/** A Redis deployment that answers, and the URL that describes it. */
export interface RunningRedis {
  url: string;
  servers: Server[];
}

const NAMES: Record<RedisForm, string[]> = {
  single: ["redis-1"],
  sentinel: ["redis-1", "redis-2", "sentinel-1", "sentinel-2", "sentinel-3"],
  cluster: ["redis-1", "redis-2", "redis-3", "redis-4", "redis-5", "redis-6"],
};

/** Brings up, empty, the Redis of a state: one server, a pair under Sentinel, or a cluster. */
export async function startRedis(state: State, context: RedisContext): Promise<RunningRedis> {
  const names = NAMES[state.redis];
  await assignPorts(state, names);
  const ports = names.map((name) => ({ name, port: state.ports[name] ?? 0 }));
  if (state.redis === "sentinel") return startSentinel(ports, context);
  if (state.redis === "cluster") return startCluster(ports, context);
  const servers = ports.map(({ name, port }) => redisServer(context, name, port));
  await Promise.all(servers.map((server) => server.start()));
  return { url: `redis://:${context.password}@127.0.0.1:${ports[0]?.port}`, servers };
}
