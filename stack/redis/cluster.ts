import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Server } from "../server.ts";
import { assignPorts, loadState } from "../state.ts";
import { waitUntil, withRedis } from "./client.ts";
import type { RunningRedis } from "./index.ts";
import { type RedisContext, redisDirectory, redisServer } from "./server.ts";
import { joinCluster, type NodeAddress } from "./slots.ts";

interface Node {
  id: string;
  name: string;
  port: number;
  /** Which range of slots it serves, as a master or as that master's replica. */
  range: number;
}

const SLOTS = 16_384;
const BUS_OFFSET = 10_000;
const NODES_FILE = "nodes.conf";

/**
 * A Redis Cluster whose first half of nodes are masters, each with one replica of the second half. Each node is given
 * its map of the cluster before it starts: nodes that have to meet take ten seconds to learn of each other's roles.
 */
export async function startCluster(
  ports: { name: string; port: number }[],
  context: RedisContext,
): Promise<RunningRedis> {
  const { password } = context;
  const masters = ports.length / 2;
  const nodes = ports.map((each, index) => ({
    ...each,
    id: randomBytes(20).toString("hex"),
    range: index % masters,
  }));
  const servers = nodes.map((node) => {
    const server = clusterServer(context, node.name, node.port);
    writeFileSync(join(redisDirectory(context, node.name), NODES_FILE), mapFor(node, nodes, masters));
    return server;
  });
  await Promise.all(servers.map((server) => server.start()));
  await Promise.all(
    nodes.map(({ name, port }) =>
      waitUntil(`${name}: the Redis cluster is not complete`, () =>
        withRedis({ port, password }, async (client) => {
          const state = String(await client.call("CLUSTER", "INFO"));
          const replication = await client.info("replication");
          return state.includes("cluster_state:ok") && /state=online|master_link_status:up/.test(replication);
        }),
      ),
    ),
  );
  return { url: nodes.map(({ port }) => `redis://:${password}@127.0.0.1:${port}`).join(","), servers };
}

/** Starts one more node of a cluster, a master without slots, and resolves once it takes commands. */
export async function addMaster(
  context: RedisContext,
  name: string,
  members: readonly NodeAddress[],
): Promise<Server> {
  const state = loadState(context.dataDir);
  if (!state) throw new Error(`${context.dataDir} is no data directory`);
  await assignPorts(state, [name]);
  const server = clusterServer(context, name, state.ports[name] ?? 0);
  await server.start();
  await joinCluster({ port: server.port, password: context.password }, members);
  return server;
}

/** A node that has met nobody yet. */
function clusterServer(context: RedisContext, name: string, port: number): Server {
  const settings = [
    "cluster-enabled yes",
    `cluster-config-file ${NODES_FILE}`,
    "cluster-node-timeout 3000",
    // Who waits for a slot whose master fails over knows of none that serves it, until somebody mends the slot.
    "cluster-require-full-coverage no",
  ];
  return redisServer(context, name, port, settings);
}

/** The cluster as one of its nodes remembers it, in the form in which Redis keeps it between runs. */
function mapFor(self: Node, nodes: Node[], masters: number): string {
  const lines = nodes.map((node, index) => {
    const master = index < masters ? undefined : nodes[node.range];
    const [first, next] = [node.range, node.range + 1].map((part) => Math.floor((part * SLOTS) / masters));
    const role = `${node === self ? "myself," : ""}${master === undefined ? "master" : "slave"}`;
    const slots = master === undefined ? ` ${first}-${(next ?? 0) - 1}` : "";
    const address = `127.0.0.1:${node.port}@${node.port + BUS_OFFSET}`;
    return `${node.id} ${address} ${role} ${master?.id ?? "-"} 0 0 ${node.range + 1} connected${slots}\n`;
  });
  return `${lines.join("")}vars currentEpoch ${masters} lastVoteEpoch 0\n`;
}
