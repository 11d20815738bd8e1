import { Cluster, Redis } from "ioredis";
import { Client } from "pg";
import { readTopologyFile } from "../../config/topology.ts";
import type { ServerHandle } from "../../stack/index.ts";
import { type OwnStack, ownStack } from "../support/servers.ts";

let stack: OwnStack;

async function query(url: string | undefined, text: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 50));
}

describe("the replicas topology", () => {
  beforeAll(async () => {
    stack = await ownStack({ topology: "replicas" });
  });
  afterAll(() => stack.destroy());

  test("streams to three standbys, each under its own name and slot", async () => {
    const [shard] = readTopologyFile(stack.topologyFile).shards;
    const senders = await query(
      shard?.primary,
      "SELECT application_name AS name, state FROM pg_stat_replication ORDER BY 1",
    );
    expect(senders).toEqual([1, 2, 3].map((n) => ({ name: `pg-s0-${n}`, state: "streaming" })));
    const slots = await query(
      shard?.primary,
      "SELECT count(*)::int AS n FROM pg_replication_slots WHERE active",
    );
    expect(slots).toEqual([{ n: 3 }]);
  });

  test("a write on the primary reaches every replica, which takes no writes of its own", async () => {
    const [shard] = readTopologyFile(stack.topologyFile).shards;
    await query(shard?.primary, "CREATE TABLE seen AS SELECT 1 AS n");
    for (const replica of shard?.replicas ?? []) {
      await until(async () => (await query(replica, "SELECT to_regclass('seen') AS t"))[0]?.t !== null);
      await expect(query(replica, "INSERT INTO seen VALUES (2)")).rejects.toThrow("read-only");
    }
  });

  test("a replica that was killed catches up after its restart", async () => {
    const [shard] = readTopologyFile(stack.topologyFile).shards;
    const replica = stack.servers.find(({ name }) => name === "pg-s0-2");
    replica?.kill();
    await query(shard?.primary, "INSERT INTO seen VALUES (3)");
    await replica?.restart();
    await until(async () => (await query(shard?.replicas[1], "SELECT FROM seen WHERE n = 3")).length === 1);
  });

  test("Sentinel names the master, which has a replica", async () => {
    const match = /^redis\+sentinel:\/\/:(\w+)@([^/]+)\/(\w+)$/.exec(stack.redisUrl ?? "");
    const [, password = "", hosts = "", name = ""] = match ?? [];
    const sentinels = hosts
      .split(",")
      .map((each) => ({ host: "127.0.0.1", port: Number(each.split(":")[1]) }));
    expect(sentinels).toHaveLength(3);
    const redis = new Redis({ sentinels, name, password, sentinelPassword: password });
    await redis.set("a", "1");
    expect(await redis.wait(1, 5_000)).toBe(1);
    redis.disconnect();
  });

  test("a promoted replica stays the primary after a restart, and the others follow it", async () => {
    const [shard] = readTopologyFile(stack.topologyFile).shards;
    stack.servers.find(({ name }) => name === "pg-s0-0")?.kill();
    await query(stack.adminUrl("pg-s0-1"), "SELECT pg_promote()");
    await query(shard?.replicas[0], "INSERT INTO seen VALUES (4)");
    await stack.stop();
    stack = await ownStack({ topology: "replicas", dataDir: stack.dataDir });
    const [again] = readTopologyFile(stack.topologyFile).shards;
    expect(again?.primary).toBe(shard?.replicas[0]);
    expect(await query(again?.replicas[2], "SELECT FROM seen WHERE n = 4")).toHaveLength(1);
  });
});

describe("the sharded topology", () => {
  beforeAll(async () => {
    stack = await ownStack({ topology: "sharded" });
  });
  afterAll(() => stack.destroy());

  test("has three shards, each with a replica, and every bucket on one of them", () => {
    const { shards } = readTopologyFile(stack.topologyFile);
    expect(shards.map(({ name, replicas, buckets }) => [name, replicas.length, buckets])).toEqual([
      ["s0", 1, [[0, 340]]],
      ["s1", 1, [[341, 681]]],
      ["s2", 1, [[682, 1023]]],
    ]);
  });

  test("has a Redis Cluster of three masters, each with a replica, that serves every slot", async () => {
    const urls = (stack.redisUrl ?? "").split(",").map((url) => new URL(url));
    const [first] = urls;
    const cluster = new Cluster(
      urls.map(({ hostname, port }) => ({ host: hostname, port: Number(port) })),
      { redisOptions: { password: first?.password } },
    );
    try {
      expect(await cluster.cluster("INFO")).toContain("cluster_state:ok");
      await Promise.all(Array.from({ length: 100 }, (_, n) => cluster.set(`key-${n}`, n)));
      const roles = String(await cluster.cluster("NODES")).match(/\b(master|slave)\b/g);
      expect(roles?.sort()).toEqual(["master", "master", "master", "slave", "slave", "slave"]);
    } finally {
      cluster.disconnect();
    }
  });

  test("a Redis master that was down while its replica was promoted comes back as the replica of that one", async () => {
    const [master, , , replica] = stack.servers.filter(({ name }) => name.startsWith("redis-"));
    if (master === undefined || replica === undefined) throw new Error("no cluster");
    master.kill();
    await until(async () => (await roleOf(replica))[0] === "master");
    await master.restart();
    await until(async () => (await roleOf(master))[0] === "slave");
    expect((await roleOf(master)).slice(0, 3)).toEqual(["slave", "127.0.0.1", replica.port]);
  });

  async function roleOf({ port }: ServerHandle): Promise<unknown[]> {
    const { password } = new URL(stack.redisUrl?.split(",")[0] ?? "");
    const redis = new Redis({ host: "127.0.0.1", port, password });
    try {
      return await redis.role();
    } finally {
      redis.disconnect();
    }
  }
});
