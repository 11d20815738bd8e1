import { Redis } from "ioredis";
import { RedisStore } from "../../mixins/redis/index.ts";
import { put, readThrough } from "../../mixins/redis/leased.ts";
import { fillSets } from "../../mixins/redis/marked-set.ts";
import { buildWindow, pushToWindows, readWindows, WHOLE } from "../../mixins/redis/windowed-list.ts";
import { eventually, Roost } from "../support/roost.ts";
import { type OwnStack, ownRedis } from "../support/servers.ts";
import { Society } from "../support/society.ts";

describe("Redis killed and started again with what it had saved a while ago", () => {
  let stack: OwnStack & { redisUrl: string };
  let raw: Redis;
  let roost: Roost;
  beforeAll(async () => {
    stack = await ownRedis("single");
    raw = new Redis(stack.redisUrl);
    raw.on("error", () => {});
    roost = await Roost.start({ shards: 2, redisUrl: stack.redisUrl });
    await roost.addNode();
  });
  afterAll(async () => {
    await roost.stop();
    raw.disconnect();
    await stack.destroy();
  });

  /** Loses everything since the last SAVE. */
  const crash = async () => {
    const [server] = stack.servers;
    server?.kill("SIGKILL");
    await server?.restart();
  };

  it("accepts no fill under a lease of before: what has overtaken it since may be lost", async () => {
    const redis = new RedisStore(stack.redisUrl, { prefix: "lease:", maxAgeMs: 60_000 });
    await redis.open();
    const [list, set, entry] = ["lease:{1}:list", "lease:{1}:set", "lease:{1}:entry"];
    const kind = { keyOf: () => entry, ttlMs: 60_000 };
    let leases = 0;
    const crashed = Promise.withResolvers<void>();
    const held = async <T>(stale: T): Promise<T> => {
      leases++;
      await crashed.promise;
      return stale;
    };
    const fills = Promise.all([
      buildWindow(redis, list, () => held({ ids: ["1"], floor: "0" })),
      fillSets(redis, [set], () => held([["1"]])),
      readThrough(redis, ["id"], { ...kind, load: () => held(new Map([["id", "old"]])) }),
    ]);
    await eventually(() => leases === 3, "three leases");
    await raw.save();
    await pushToWindows(redis, [list], "2");
    await redis.delete([set]);
    await put(redis, entry, "new", 60_000);
    await crash();
    await eventually(() => redis.ping(), "Redis back");
    crashed.resolve();

    const [published, filled] = await fills;
    expect({ published, filled }).toEqual({ published: "refused", filled: false });
    expect(await readWindows(redis, [list], { count: WHOLE })).toEqual(new Map());
    const truth = { ...kind, load: async () => new Map([["id", "new"]]) };
    expect(await readThrough(redis, ["id"], truth)).toEqual(new Map([["id", "new"]]));
    await redis.close();
  });

  it("leaves no hole in any timeline and shows nothing that is hidden", async () => {
    const society = await Society.of(roost, 5);
    await society.liveUntilRedisServes();
    await society.agree();
    await raw.save();
    await society.tweetAndHide();
    await roost.settle();
    await crash();
    await society.lookUntilRedisServes();
    await society.agree();
  });

  it("does neither while people live on", async () => {
    const society = await Society.of(roost, 5);
    await society.liveUntilRedisServes();
    await raw.save();
    await Promise.all([society.live(4), crash()]);
    await society.liveUntilRedisServes();
    await society.agree();
  });
});
