import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import { BUCKETS, type ShardConfig } from "../../config/topology.ts";
import { ShardDb, sql } from "../../mixins/shard-db/index.ts";
import { migrate } from "../../mixins/shard-db/migrate.ts";
import { ShardServer } from "../../mixins/shard-db/server.ts";
import { eventually } from "../support/roost.ts";
import { createShards, type TestShards } from "../support/servers.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";

const connected = async (url: string) => {
  const client = new Client({ connectionString: url });
  await client.connect();
  return client;
};

describe("a server of a shard", () => {
  let shards: TestShards;
  let proxy: TcpProxy;
  let server: ShardServer;
  let holder: Client;
  beforeEach(async () => {
    shards = await createShards(1);
    await migrate(shards.topology);
    const [{ primary } = { primary: "" }] = shards.topology.shards;
    proxy = await TcpProxy.to(primary);
    server = new ShardServer(proxy.url, { poolSize: 2, application: "test" });
    await server.ask();
    // A look at the server waits for this; nothing else does.
    holder = await connected(primary);
    await holder.query("BEGIN; LOCK TABLE placement");
  });
  afterEach(async () => {
    await holder.end();
    await proxy.close();
    await server.close();
    await shards.drop();
  });

  it("is given up when it hangs, though it answered something since the look began", async () => {
    expect(server.look?.role).toBe("primary");
    const look = server.ask();
    await sleep(50);
    await server.within(server.read.query("SELECT 1"));
    proxy.swallow();
    await look;
    expect(server.look).toBeUndefined();
    await expect(server.within(server.read.query("SELECT 1"))).rejects.toThrow();
  });

  it("is not given up as long as it answers others: what it said grows old", async () => {
    const { look } = server;
    let looked = false;
    const looking = server.ask().finally(() => {
      looked = true;
    });
    while (!looked) {
      await server.within(server.read.query("SELECT 1"));
      await sleep(100);
    }
    await looking;
    expect(server.look).toBe(look);
  });
});

describe("a process that has seen that buckets left a shard", () => {
  it("does not read them there by its old map, although another shard hangs", async () => {
    const shards = await createShards(3);
    await migrate(shards.topology);
    const [s0, s1, s2] = shards.topology.shards as [ShardConfig, ShardConfig, ShardConfig]; // three were made
    const proxy = await TcpProxy.to(s2.primary);
    const db = new ShardDb(
      { shards: [s0, s1, { ...s2, primary: proxy.url }] },
      { poolSize: 4, application: "test" },
    );
    await db.open();
    const [source, target] = [await connected(s0.primary), await connected(s1.primary)];
    const [, last] = s0.buckets[0] ?? [0, BUCKETS];
    const map = JSON.stringify([
      { shard: "s0", buckets: [[10, last]] },
      { shard: "s1", buckets: [...s1.buckets, [0, 9]] },
      { shard: "s2", buckets: s2.buckets },
    ]);
    // As a mover does, and after its time.
    await source.query("UPDATE placement SET leaving = '{[0,10)}'");
    await sleep(4_000);
    proxy.swallow();
    for (const each of [source, target]) await each.query("SELECT adopt_map(2, $1)", [map]);
    await target.query("SELECT enqueue(3, 'test', '{}')");
    const seen: number[] = [];
    for (const until = Date.now() + 3_000; Date.now() < until; await sleep(20)) {
      const [row] = await db.read({ bucket: 3 }, sql<{ n: number }>`SELECT count(*)::int AS n FROM outbox`);
      seen.push(row?.n ?? 0);
    }
    expect(new Set(seen)).toEqual(new Set([1]));
    await Promise.all([source.end(), target.end()]);
    await proxy.close();
    await db.close();
    await shards.drop();
  });
});

describe("a process that has heard of a map which a failover swallowed", () => {
  it("goes back to the one that all shards have", async () => {
    const shards = await createShards(2);
    await migrate(shards.topology);
    const [s0, s1] = shards.topology.shards as [ShardConfig, ShardConfig]; // two were made
    const db = new ShardDb(shards.topology, { poolSize: 4, application: "test" });
    await db.open();
    const primaries = [await connected(s0.primary), await connected(s1.primary)];
    const map = JSON.stringify([
      { shard: "s0", buckets: [[10, 511]] },
      {
        shard: "s1",
        buckets: [
          [0, 9],
          [512, 1023],
        ],
      },
    ]);
    try {
      for (const each of primaries) {
        await each.query("CREATE TABLE before AS SELECT * FROM placement");
        await each.query("SELECT adopt_map(2, $1)", [map]);
      }
      await eventually(() => db.shardOf({ bucket: 3 }) === "s1", "the newer map");
      const lose = (each: Client) =>
        each.query("UPDATE placement SET epoch = b.epoch, map = b.map, owned = b.owned FROM before b");
      // Once more where the node has brought it to the one shard from the other in between.
      await eventually(async () => {
        await Promise.all(primaries.map(lose));
        await db.write({ bucket: 3 }, sql`SELECT enqueue(3, 'test', '{}')`);
        return db.shardOf({ bucket: 3 }) === "s0";
      }, "the older map");
    } finally {
      await Promise.all(primaries.map((each) => each.end()));
      await db.close();
      await shards.drop();
    }
  });
});
