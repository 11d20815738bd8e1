import type { Redis } from "ioredis";
import { resourcesOf } from "../../mixins/resources.ts";
import { eventually, Roost } from "../support/roost.ts";
import { type OwnRedis, ownRedis } from "../support/servers.ts";
import { Society } from "../support/society.ts";

describe("a Redis with too little memory", () => {
  let redis: OwnRedis;
  let roost: Roost;
  let society: Society;
  beforeAll(async () => {
    redis = await ownRedis("single");
    roost = await Roost.start({ shards: 2, redisUrl: redis.redisUrl });
    await roost.addNode();
    society = await Society.of(roost, 6);
    await society.liveUntilRedisServes();
  });
  afterAll(async () => {
    await roost.stop();
    await redis.destroy();
  });

  const stores = () => roost.nodes.flatMap(({ broker }) => resourcesOf(broker).redis ?? []);
  const ask = <T>(use: (client: Redis) => Promise<T>): Promise<T> => {
    const [server] = redis.servers;
    if (!server) throw new Error("no Redis");
    return redis.ask(server, use);
  };
  const info = (field: string) =>
    ask(async (client) => Number((await client.info()).match(`${field}:(\\d+)`)?.[1]));
  const limitTo = (bytes: number, policy: "allkeys-lru" | "allkeys-random" | "noeviction") =>
    ask((client) => client.config("SET", "maxmemory", bytes, "maxmemory-policy", policy));

  it.each(["allkeys-lru", "allkeys-random"] as const)(
    "evicts all the time (%s): no hole, and nothing that is hidden shows",
    async (policy) => {
      const [served, evicted] = [await roost.counted("homeReads", "redis"), await info("evicted_keys")];
      const full = await info("used_memory");
      await ask((client) => client.flushall());
      const empty = await info("used_memory");
      await limitTo(Math.round(empty + (full - empty) / 3), policy);
      for (let round = 0; round < 3; round++) {
        await society.live(1);
        for (let n = 0; n < 3; n++) await society.tweet();
        await society.agree();
      }
      expect(await info("evicted_keys")).toBeGreaterThan(evicted + 100);
      expect(await roost.counted("homeReads", "redis")).toBeGreaterThan(served);
      await limitTo(0, "allkeys-lru");
    },
  );

  it("refuses what takes memory: nothing that is hidden shows, and no timeline stays behind", async () => {
    await society.lookUntilRedisServes();
    await limitTo(1, "noeviction");
    await society.tweetAndHide();
    await eventually(() => stores().every(({ readable }) => !readable), "every node off Redis");
    await society.live(1);
    await society.compare();
    await limitTo(0, "allkeys-lru");
    await society.liveUntilRedisServes();
    await society.agree();
  });
});
