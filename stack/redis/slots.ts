/** Moving slots of a Redis Cluster between masters that serve clients meanwhile, as `redis-cli --cluster reshard` does. */
import type { Redis } from "ioredis";
import { waitUntil, withRedis } from "./client.ts";

/** A node of a cluster on this machine. */
export interface NodeAddress {
  port: number;
  password: string;
}

/** One slot on its way from one master to another, over a connection to each. */
export class SlotMove {
  readonly slot: number;
  readonly #from: Redis;
  readonly #to: Redis;

  constructor(slot: number, from: Redis, to: Redis) {
    this.slot = slot;
    this.#from = from;
    this.#to = to;
  }

  /** From now on the old master sends clients on to the new one for the keys that it does not have (any more). */
  async begin(): Promise<void> {
    const [from, to] = await Promise.all([idOf(this.#from), idOf(this.#to)]);
    await this.#to.cluster("SETSLOT", this.slot, "IMPORTING", from);
    await this.#from.cluster("SETSLOT", this.slot, "MIGRATING", to);
  }

  /** Moves at most so many keys; returns how many it were. */
  async moveKeys(count: number): Promise<number> {
    const keys = (await this.#from.cluster("GETKEYSINSLOT", this.slot, count)).map(String);
    if (keys.length === 0) return 0;
    const { port = 0, password = "" } = this.#to.options;
    // A replica that took over from a master before it learned of a move may still have keys from then.
    const how = ["REPLACE", "AUTH", password];
    await this.#from.call("MIGRATE", "127.0.0.1", port, "", 0, 5_000, ...how, "KEYS", ...keys);
    return keys.length;
  }

  /** Moves what is left and makes the new master the slot's. The others hear of it from these two. */
  async finish(): Promise<void> {
    while ((await this.moveKeys(10)) > 0);
    const to = await idOf(this.#to);
    await this.#to.cluster("SETSLOT", this.slot, "NODE", to);
    await this.#from.cluster("SETSLOT", this.slot, "NODE", to).catch((error: unknown) => {
      // It may have heard of it: who gives the last slot away becomes a replica at once.
      if (!Error.isError(error) || !error.message.includes("only with masters")) throw error;
    });
  }
}

/** Moves slots one after the other. */
export async function moveSlots(from: NodeAddress, to: NodeAddress, slots: Iterable<number>): Promise<void> {
  await withRedis(from, (source) =>
    withRedis(to, async (target) => {
      for (const slot of slots) {
        const move = new SlotMove(slot, source, target);
        await move.begin();
        await move.finish();
      }
    }),
  );
}

/** The slots that a master serves by its own account. */
export async function slotsOf(node: NodeAddress): Promise<number[]> {
  const lines = await withRedis(node, async (client) => String(await client.cluster("NODES")));
  const own = lines.split("\n").find((line) => line.includes("myself")) ?? "";
  // Eight columns, then ranges; in brackets what is on its way.
  const ranges = own.split(" ").slice(8);
  return ranges.flatMap((range) => {
    const [first, last = first] = range.split("-").map(Number);
    if (range.startsWith("[") || first === undefined || last === undefined) return [];
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}

/** Makes an empty node known to a cluster, as a master without slots. */
export async function joinCluster(node: NodeAddress, members: readonly NodeAddress[]): Promise<void> {
  const [first] = members;
  if (!first) throw new Error("a cluster without nodes");
  await withRedis(first, (client) => client.cluster("MEET", "127.0.0.1", node.port));
  /** How many masters serve slots, as a node sees it that knows everybody and takes commands; the new one sees none at first. */
  const size = (each: NodeAddress) =>
    withRedis(each, async (client) => {
      const [lines, info] = [String(await client.cluster("NODES")), await client.cluster("INFO")];
      const well = /cluster_state:ok/.test(info) && !/handshake|noaddr/.test(lines);
      const known = lines.trim().split("\n").length;
      return well && known > members.length ? /cluster_size:\d+/.exec(info)?.[0] : undefined;
    });
  await waitUntil(`the nodes do not all know :${node.port}`, async () => {
    const sizes = new Set(await Promise.all([...members, node].map(size)));
    return sizes.size === 1 && !sizes.has(undefined);
  });
}

/** Takes a master without slots out of a cluster. */
export async function leaveCluster(node: NodeAddress, members: readonly NodeAddress[]): Promise<void> {
  const id = await withRedis(node, idOf);
  // Whoever still knew it would tell the others of it again.
  await Promise.all(members.map((each) => withRedis(each, (client) => client.cluster("FORGET", id))));
  await withRedis(node, (client) => client.cluster("RESET", "SOFT"));
}

async function idOf(client: Redis): Promise<string> {
  return String(await client.cluster("MYID"));
}
