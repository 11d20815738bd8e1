import { waitUntil, withRedis } from "./client.ts";
import type { RunningRedis } from "./index.ts";
import { type RedisContext, redisServer } from "./server.ts";

interface Node {
  name: string;
  port: number;
}

const SLOTS = 16_384;

/** A Redis Cluster whose first half of nodes are masters, each with one replica of the second half. */
export async function startCluster(nodes: Node[], context: RedisContext): Promise<RunningRedis> {
  const { password } = context;
  const settings = ["cluster-enabled yes", "cluster-config-file nodes.conf", "cluster-node-timeout 3000"];
  const servers = nodes.map(({ name, port }) => redisServer(context, name, port, settings));
  await Promise.all(servers.map((server) => server.start()));
  await join(nodes, password);
  await Promise.all(
    nodes.map(({ name, port }) =>
      waitUntil(`${name}: the Redis cluster is not complete`, () =>
        withRedis({ port, password }, async (client) => {
          const info = String(await client.call("CLUSTER", "INFO"));
          const replicated = (await client.info("replication")).match(/role:slave|state=online/) !== null;
          return (
            info.includes("cluster_state:ok") &&
            info.includes(`cluster_known_nodes:${nodes.length}`) &&
            replicated
          );
        }),
      ),
    ),
  );
  return { url: nodes.map(({ port }) => `redis://:${password}@127.0.0.1:${port}`).join(","), servers };
}

async function join(nodes: Node[], password: string): Promise<void> {
  const masters = nodes.slice(0, nodes.length / 2);
  await Promise.all(
    masters.map(({ port }, index) => {
      const [first, last] = [index, index + 1].map((part) => Math.floor((part * SLOTS) / masters.length));
      return withRedis({ port, password }, (client) =>
        client.call("CLUSTER", "ADDSLOTSRANGE", first ?? 0, (last ?? 0) - 1),
      );
    }),
  );
  const [first, ...others] = nodes;
  if (first === undefined) return;
  await withRedis({ port: first.port, password }, async (client) => {
    for (const { port } of others) await client.call("CLUSTER", "MEET", "127.0.0.1", port);
  });
  await Promise.all(
    nodes.slice(masters.length).map(async (replica, index) => {
      const master = masters[index];
      if (master === undefined) return;
      const id = await withRedis({ port: master.port, password }, (client) => client.call("CLUSTER", "MYID"));
      await waitUntil(`${replica.name} does not follow ${master.name}`, () =>
        follow(replica, String(id), password),
      );
    }),
  );
}

/** Succeeds once gossip has told the replica of its master. */
async function follow(replica: Node, masterId: string, password: string): Promise<boolean> {
  try {
    await withRedis({ port: replica.port, password }, (client) =>
      client.call("CLUSTER", "REPLICATE", masterId),
    );
    return true;
  } catch {
    return false;
  }
}
