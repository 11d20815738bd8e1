import { Redis } from "ioredis";
import { parseRedisUrl } from "../../mixins/redis/address.ts";
import type { ServerHandle } from "../../stack/index.ts";
import { findProgram } from "../../stack/programs/index.ts";
import { addMaster } from "../../stack/redis/cluster.ts";
import { leaveCluster, moveSlots, type NodeAddress, slotsOf } from "../../stack/redis/slots.ts";
import { eventually } from "./roost.ts";
import { type OwnRedis, ownRedis } from "./servers.ts";

/** A Redis Cluster of a test's own, three masters with a replica each, whose shape can be changed. */
export class RedisCluster {
  readonly redis: OwnRedis;
  readonly url: string;
  readonly #password: string;

  private constructor(redis: OwnRedis) {
    this.redis = redis;
    this.url = redis.redisUrl;
    this.#password = parseRedisUrl(redis.redisUrl).password ?? "";
  }

  static async start(): Promise<RedisCluster> {
    return new RedisCluster(await ownRedis("sharded"));
  }

  /** The nodes that it began with. */
  get nodes(): NodeAddress[] {
    return this.redis.servers.map((server) => this.address(server));
  }

  address({ port }: { port: number }): NodeAddress {
    return { port, password: this.#password };
  }

  /** A connection for the test's own questions. */
  connect({ port }: { port: number }): Redis {
    return new Redis({ host: "127.0.0.1", port, password: this.#password });
  }

  async masters(): Promise<ServerHandle[]> {
    const roles = await Promise.all(this.redis.servers.map((server) => this.roleOf(server)));
    return this.redis.servers.filter((_, i) => roles[i] === "master");
  }

  roleOf(server: ServerHandle): Promise<string> {
    return this.redis.ask(server, async (client) => String((await client.role())[0])).catch(() => "down");
  }

  isMaster(server: ServerHandle): Promise<boolean> {
    return this.roleOf(server).then((role) => role === "master");
  }

  async replicaOf(master: ServerHandle): Promise<ServerHandle> {
    for (const server of this.redis.servers) {
      const [role, , port] = await this.redis.ask(server, (client) => client.role());
      if (role === "slave" && port === master.port) return server;
    }
    throw new Error(`${master.name} has no replica`);
  }

  /** Whether a replica hears from its master. */
  linked(replica: ServerHandle): Promise<boolean> {
    return this.redis.ask(replica, async (client) => /link_status:up/.test(await client.info("replication")));
  }

  /** A replica follows this master, beginning with a copy of all that this one has. */
  async follow(replica: ServerHandle, master: ServerHandle): Promise<void> {
    const id = await this.redis.ask(master, (client) => client.call("CLUSTER", "MYID"));
    await this.redis.ask(replica, (client) => client.call("CLUSTER", "REPLICATE", String(id)));
    await eventually(async () => {
      const [, , port, state] = await this.redis.ask(replica, (client) => client.role());
      return port === master.port && state === "connected";
    }, `${replica.name} in sync`);
  }

  /** A replica keeps what it has, and gets nothing more. */
  async cutOff(replica: ServerHandle, master: ServerHandle): Promise<void> {
    await this.redis.ask(replica, (client) => client.config("SET", "masterauth", "wrong"));
    await this.redis.ask(master, (client) => client.client("KILL", "TYPE", "replica"));
    await eventually(async () => !(await this.linked(replica)), "the replica cut off");
  }

  /** Lets it follow again. */
  async mend(replica: ServerHandle): Promise<void> {
    await this.redis.ask(replica, (client) => client.config("SET", "masterauth", this.#password));
  }

  /** A replica takes the place of its master, without asking anybody, and the master follows it. */
  async takeOver(replica: ServerHandle, master: ServerHandle): Promise<void> {
    await this.redis.ask(replica, (client) => client.cluster("FAILOVER", "TAKEOVER"));
    await eventually(async () => (await this.roleOf(master)) === "slave", `${master.name} deposed`);
    await eventually(() => this.linked(master), `${master.name} in sync`);
    await this.agreed();
  }

  /** The master that serves a key's slot, another master, and the slot. */
  async placeOf(key: string): Promise<{ slot: number; home: ServerHandle; other: ServerHandle }> {
    const masters = await this.masters();
    const [first] = masters;
    if (!first) throw new Error("no master");
    const slot = await this.redis.ask(first, (client) => client.cluster("KEYSLOT", key));
    const owned = await Promise.all(masters.map((master) => slotsOf(this.address(master))));
    const home = masters.find((_, i) => owned[i]?.includes(slot));
    const other = masters.find((master) => master !== home);
    if (!home || !other) throw new Error("nobody serves the slot");
    return { slot, home, other };
  }

  move(from: ServerHandle, to: ServerHandle, slots: Iterable<number>): Promise<void> {
    return moveSlots(this.address(from), this.address(to), slots);
  }

  /** Starts one more master, which has no slots yet. */
  async add(): Promise<ServerHandle> {
    const { dataDir, supervisor } = this.redis;
    const program = await findProgram("redis-server", () => {});
    if (!program) throw new Error("no redis-server");
    return addMaster({ dataDir, program, supervisor, password: this.#password }, "redis-7", this.nodes);
  }

  /** Takes a master out that has no slots any more, and stops it. */
  async remove(server: ServerHandle): Promise<void> {
    await leaveCluster(this.address(server), this.nodes);
    server.kill("SIGTERM");
  }

  /** Waits until all nodes agree on who serves what. */
  async agreed(): Promise<void> {
    const views = async () => {
      const answers = this.redis.servers.map((server) =>
        this.redis.ask(server, async (client) => JSON.stringify(await slotMasters(client))),
      );
      return new Set(await Promise.all(answers)).size;
    };
    await eventually(async () => (await views()) === 1, "one view of the slots");
  }
}

/** Who serves which slots, as a node sees it. */
async function slotMasters(client: Redis): Promise<unknown[]> {
  const ranges = await client.cluster("SLOTS");
  return ranges.map(([first, last, master]) => [first, last, master?.[1]]).sort();
}
