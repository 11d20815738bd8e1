import { setTimeout as sleep } from "node:timers/promises";
import { RedisWatch } from "../../mixins/redis/watch.ts";
import { eventually } from "../support/roost.ts";

describe("the watch over Redis", () => {
  /** Says what the test wants, and counts how often it was asked what waits for Redis. */
  const redis = { answers: true, inCharge: true, clear: true, asked: 0 };
  const watch = new RedisWatch({
    ping: async () => {
      if (!redis.answers) throw new Error("no answer");
    },
    inCharge: () => redis.inCharge,
    clear: async () => {
      redis.asked++;
      return redis.clear;
    },
  });
  beforeAll(() => watch.start());
  afterAll(() => watch.stop());
  beforeEach(async () => {
    Object.assign(redis, { answers: true, inCharge: true, clear: true });
    await eventually(() => watch.readable, "Redis in use");
  });

  it("keeps readers off it while it does not answer", async () => {
    redis.answers = false;
    await eventually(() => !watch.readable, "Redis out of use");
    redis.asked = 0;
    await sleep(200);
    expect([watch.readable, redis.asked]).toEqual([false, 0]);
  });

  it("keeps readers off it after a command that failed, until nothing waits for it", async () => {
    redis.clear = false;
    redis.asked = 0;
    watch.doubt();
    expect(watch.readable).toBe(false);
    await eventually(() => redis.asked > 1, "a look at what waits for Redis");
    expect(watch.readable).toBe(false);
  });

  it("keeps readers off it once something waits for it that another process could not do", async () => {
    redis.clear = false;
    await eventually(() => !watch.readable, "Redis out of use");
  });

  it("keeps readers off a master that was deposed", () => {
    redis.inCharge = false;
    expect(watch.readable).toBe(false);
  });
});
