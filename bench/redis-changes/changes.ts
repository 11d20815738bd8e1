import { setTimeout as sleep } from "node:timers/promises";
import { parseRedisUrl } from "../../mixins/redis/address.ts";
import { findProgram } from "../../stack/programs/index.ts";
import { waitUntil, withRedis } from "../../stack/redis/client.ts";
import { addMaster } from "../../stack/redis/cluster.ts";
import { leaveCluster, moveSlots, type NodeAddress, slotsOf } from "../../stack/redis/slots.ts";
import type { ServerHandle } from "../../stack/server.ts";
import type { OwnStack } from "../own-stack.ts";

/** What is waited for after each change, in ms: longer than anybody's timers. */
const CALM = 8_000;

/** Changes a deployment of Redis step by step; `tell` is told before each. */
export async function changeRedis(roost: OwnStack, tell: (what: string) => void): Promise<void> {
  const { kind, password = "" } = parseRedisUrl(roost.redisUrl ?? "");
  const servers = roost.stack.servers.filter(({ name }) => /^redis-\d/.test(name));
  const nodes = servers.map((server) => ({ server, port: server.port, password }));
  tell("nothing yet");
  await sleep(CALM);
  await failOver(nodes, tell);
  if (kind === "cluster") await reshard(roost, nodes, tell);
}

type Node = NodeAddress & { server: ServerHandle };

/** The first master dies, its replica takes over, and it comes back as a replica; then the same with one that hangs. */
async function failOver(nodes: readonly Node[], tell: (what: string) => void): Promise<void> {
  for (const [signal, how, back] of [
    ["SIGKILL", "killed", "restarted"],
    ["SIGSTOP", "stopped", "continued"],
  ] as const) {
    const [master, ...others] = await mastersAmong(nodes);
    if (!master) throw new Error("no master");
    tell(`${master.server.name}, a master, is ${how} (${signal})`);
    master.server.kill(signal);
    await waitUntil("nobody took over", async () => {
      const known = await mastersAmong(nodes.filter((node) => node !== master));
      return known.some((node) => !others.includes(node));
    });
    tell("its replica has taken over");
    await sleep(CALM);
    tell(`the old master is ${back}`);
    if (signal === "SIGKILL") await master.server.restart();
    else master.server.kill("SIGCONT");
    await waitUntil("the old master does not follow", async () => !(await isMaster(master)));
    await sleep(CALM);
  }
}

/** Slots move there and back; a master joins, takes a quarter of all slots, gives them back and leaves. */
async function reshard(roost: OwnStack, nodes: readonly Node[], tell: (what: string) => void): Promise<void> {
  const masters = await mastersAmong(nodes);
  const [from, to] = masters;
  if (!from || !to) throw new Error("no two masters");
  const half = (await slotsOf(from)).filter((_, i) => i % 2 === 0);
  tell(`${half.length} slots move from ${from.server.name} to ${to.server.name}`);
  await moveSlots(from, to, half);
  tell("and back");
  await moveSlots(to, from, half);
  tell("calm");
  await sleep(CALM);

  const program = await findProgram("redis-server", () => {});
  if (!program) throw new Error("no redis-server");
  const { password } = from;
  tell("a master joins");
  const context = { dataDir: roost.dataDir, program, supervisor: roost.stack.supervisor, password };
  const { port } = await addMaster(context, "redis-7", nodes);
  const taken = await Promise.all(
    masters.map(async (master) => ({ master, slots: (await slotsOf(master)).filter((_, i) => i % 4 === 0) })),
  );
  tell(`takes ${taken.reduce((sum, { slots }) => sum + slots.length, 0)} slots`);
  for (const { master, slots } of taken) await moveSlots(master, { port, password }, slots);
  tell("serves them");
  await sleep(CALM);
  tell("gives them back");
  for (const { master, slots } of taken) await moveSlots({ port, password }, master, slots);
  tell("and leaves");
  await leaveCluster({ port, password }, nodes);
  await sleep(CALM);
}

async function mastersAmong(nodes: readonly Node[]): Promise<Node[]> {
  const roles = await Promise.all(nodes.map(isMaster));
  return nodes.filter((_, i) => roles[i]);
}

async function isMaster(node: NodeAddress): Promise<boolean> {
  const asked = withRedis(node, async (client) => (await client.role())[0] === "master");
  // One that is stopped says nothing.
  return Promise.race([asked.catch(() => false), sleep(500, false)]);
}
