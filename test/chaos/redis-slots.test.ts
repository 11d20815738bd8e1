import { RedisStore } from "../../mixins/redis/index.ts";
import { put, readThrough } from "../../mixins/redis/leased.ts";
import { buildWindow, pushToWindows, readWindows, WHOLE } from "../../mixins/redis/windowed-list.ts";
import { partitionOf } from "../../mixins/shard-db/ids.ts";
import type { ServerHandle } from "../../stack/index.ts";
import { SlotMove, slotsOf } from "../../stack/redis/slots.ts";
import { RedisCluster } from "../support/redis-cluster.ts";
import { eventually, Roost } from "../support/roost.ts";
import { Society } from "../support/society.ts";

describe("a Redis Cluster that is resharded while people live on it", () => {
  let cluster: RedisCluster;
  let roost: Roost;
  let society: Society;
  const stores: RedisStore[] = [];
  beforeAll(async () => {
    cluster = await RedisCluster.start();
    roost = await Roost.start({ shards: 2, redisUrl: cluster.url });
    await roost.addNode();
    society = await Society.of(roost, 6);
    await society.liveUntilRedisServes();
    await society.agree();
  });
  afterAll(async () => {
    await Promise.all(stores.map((store) => store.close()));
    await roost.stop();
    await cluster.redis.destroy();
  });

  /** A store of a test's own, closed in the end whatever becomes of the test. */
  const openStore = async (prefix: string): Promise<RedisStore> => {
    const store = new RedisStore(cluster.url, { prefix, maxAgeMs: 60_000 });
    stores.push(store);
    await store.open();
    return store;
  };
  const homeOf = (i: number): string => roost.store.keys.home(society.people[i]?.id ?? "");
  /** Lives while something is done, and for a round after it. Every request must be answered. */
  const liveWhile = async (work: () => Promise<unknown>): Promise<void> => {
    let done = false;
    const working = work().finally(() => {
      done = true;
    });
    await Promise.all([society.live(1, () => done), working]);
    await society.live(1);
  };

  it("serves from Redis, and loses nothing, while some of a slot's keys are here and some there", async () => {
    const { slot, home, other } = await cluster.placeOf(homeOf(0));
    const [from, to] = [cluster.connect(home), cluster.connect(other)];
    const move = new SlotMove(slot, from, to);
    await move.begin();
    for (let moved = 1; moved > 0; moved = await move.moveKeys(2)) await society.live(1);
    await society.liveUntilRedisServes();
    await move.finish();
    await society.liveUntilRedisServes();
    await society.agree();
    from.disconnect();
    to.disconnect();
  });

  it("leaves no hole in a slot that comes back with what it held", async () => {
    const { slot, home, other } = await cluster.placeOf(homeOf(1));
    await society.lookUntilRedisServes();
    await cluster.move(home, other, [slot]);
    await cluster.agreed();
    // Nobody reads, so that what came along stays as it was, but for what is pushed, hidden and taken away.
    await society.tweet();
    await roost.settle();
    await society.hideUnseen();
    await roost.settle();
    await cluster.move(other, home, [slot]);
    await cluster.agreed();
    await society.lookUntilRedisServes();
    await society.agree();
  });

  it("answers everything while a master joins, takes slots, gives them back and leaves", async () => {
    const masters = await cluster.masters();
    const busy = new Set(society.people.map(({ id }) => partitionOf(id)));
    let joined: ServerHandle | undefined;
    const taken: { from: ServerHandle; slots: number[] }[] = [];
    await liveWhile(async () => {
      joined = await cluster.add();
      const places = await Promise.all([...busy].map((_, i) => cluster.placeOf(homeOf(i))));
      for (const from of masters) {
        const its = places.filter(({ home }) => home.port === from.port).map(({ slot }) => slot);
        const others = (await slotsOf(cluster.address(from))).slice(0, 20);
        const slots = [...new Set([...its, ...others])];
        await cluster.move(from, joined, slots);
        taken.push({ from, slots });
      }
    });
    await society.liveUntilRedisServes();
    await society.agree();
    const { length: lists } = await cluster.redis.ask(joined as ServerHandle, (client) =>
      client.keys("*:home:*"),
    );
    expect(lists).toBeGreaterThan(0);
    await liveWhile(async () => {
      if (!joined) throw new Error("nobody joined");
      for (const { from, slots } of taken) await cluster.move(joined, from, slots);
      await cluster.agreed();
      await cluster.remove(joined);
    });
    await society.liveUntilRedisServes();
    await society.agree();
  });

  it("changes an entry that is still where its slot is leaving", async () => {
    const store = await openStore("entry:");
    const key = "entry:{2}:entry";
    await put(store, key, "old", 60_000);
    const { slot, home, other } = await cluster.placeOf(key);
    const [from, to] = [cluster.connect(home), cluster.connect(other)];
    const move = new SlotMove(slot, from, to);
    await from.set("entry:{2}:kept", "of now");
    await move.begin();
    // Left behind when that master served the slot before.
    await Promise.all([to.asking(), to.set("entry:{2}:kept", "of before")]);
    await put(store, key, "new", 60_000);
    const kind = { keyOf: () => key, ttlMs: 60_000, load: async () => new Map([["id", "loaded"]]) };
    expect(await readThrough(store, ["id"], kind)).toEqual(new Map([["id", "new"]]));
    await move.finish();
    expect(await store.mget(["entry:{2}:kept"])).toEqual(["of now"]);
    from.disconnect();
    to.disconnect();
  });

  it("takes a list for missing when its master was deposed meanwhile and is in charge again", async () => {
    const store = await openStore("again:");
    const key = "again:{1}:list";
    await buildWindow(store, key, async () => ({ ids: ["1"], floor: "0" }));
    const { home } = await cluster.placeOf(key);
    const replica = await cluster.replicaOf(home);
    await cluster.cutOff(replica, home);
    await pushToWindows(store, [key], "2");
    await cluster.takeOver(replica, home);
    await cluster.mend(replica);
    await cluster.takeOver(home, replica);
    await eventually(() => store.ping(), "Redis");
    expect(await readWindows(store, [key], { count: WHOLE })).toEqual(new Map());
  });

  it("takes a list for missing when its slot comes back from where a failover has lost pushes to it", async () => {
    const store = await openStore("there-and-back:");
    const key = "there-and-back:{3}:list";
    await buildWindow(store, key, async () => ({ ids: ["1"], floor: "0" }));
    const { slot, home, other } = await cluster.placeOf(key);
    await cluster.move(home, other, [slot]);
    await cluster.agreed();
    const replica = await cluster.replicaOf(other);
    await cluster.cutOff(replica, other);
    await eventually(() => store.ping(), "Redis");
    await pushToWindows(store, [key], "2");
    await cluster.takeOver(replica, other);
    await cluster.mend(replica);
    await cluster.move(replica, home, [slot]);
    await cluster.agreed();
    await eventually(() => store.ping(), "Redis");
    expect(await readWindows(store, [key], { count: WHOLE })).toEqual(new Map());
  });

  it("starts a master again without what it had as a replica: it claims no slot that has moved since", async () => {
    const store = await openStore("before:");
    const key = "before:{4}:kept";
    await store.setAll([[key, "kept"]], 60_000);
    const { slot, home, other } = await cluster.placeOf(key);
    const replica = await cluster.replicaOf(home);
    await cluster.follow(replica, other);
    await cluster.follow(replica, home);
    await cluster.move(home, other, [slot]);
    await cluster.agreed();
    await cluster.takeOver(replica, home);
    replica.kill();
    await replica.restart();
    expect(await cluster.redis.ask(replica, (client) => client.call("CLUSTER", "NODES"))).not.toContain("[");
    await eventually(() => cluster.linked(home), "the old master in sync");
  });

  it("goes on where the master that a slot is moving to is killed half-way, and the move is given up", async () => {
    const unhandled: unknown[] = [];
    const onUnhandled = (reason: unknown) => void unhandled.push(reason);
    process.on("unhandledRejection", onUnhandled);
    const { slot, home, other } = await cluster.placeOf(homeOf(2));
    const replica = await cluster.replicaOf(other);
    const [from, to] = [cluster.connect(home), cluster.connect(other)];
    const move = new SlotMove(slot, from, to);
    await move.begin();
    await move.moveKeys(3);
    await liveWhile(async () => {
      other.kill("SIGKILL");
      await eventually(() => cluster.isMaster(replica), "the replica in charge");
    });
    await from.cluster("SETSLOT", slot, "STABLE");
    await society.liveUntilRedisServes();
    await society.agree();
    process.off("unhandledRejection", onUnhandled);
    from.disconnect();
    to.disconnect();
    expect(unhandled).toEqual([]);
    await other.restart();
    await eventually(() => cluster.linked(other), "the old master in sync");
  });

  it("goes on where the master that a slot is leaving is killed half-way, before anybody has mended the slot", async () => {
    const { slot, home, other } = await cluster.placeOf(homeOf(3));
    const replica = await cluster.replicaOf(home);
    const [from, to] = [cluster.connect(home), cluster.connect(other)];
    const move = new SlotMove(slot, from, to);
    await move.begin();
    await move.moveKeys(3);
    from.disconnect();
    await liveWhile(async () => {
      home.kill("SIGKILL");
      await eventually(() => cluster.isMaster(replica), "the replica in charge");
    });
    await society.liveUntilRedisServes();
    await society.agree();
    await to.cluster("SETSLOT", slot, "STABLE");
    await home.restart();
    await eventually(() => cluster.linked(home), "the old master in sync");
    await cluster.agreed();
    to.disconnect();
  });
});
