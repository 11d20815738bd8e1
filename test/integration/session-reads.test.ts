import { RedisStore } from "../../mixins/redis/index.ts";
import { RateLimiter } from "../../services/gateway/rate-limit.ts";
import { eventually } from "../support/roost.ts";
import { serverUrl } from "../support/servers.ts";

describe("what a session has seen of the shards", () => {
  let store: RedisStore;
  /** Whether nothing waits for Redis, as the watch is told. */
  let isClear = true;
  beforeAll(async () => {
    store = new RedisStore(serverUrl("REDIS"), { prefix: `seen-${Date.now()}:`, maxAgeMs: 60_000 });
    await store.open();
    await store.watch(async () => isClear);
  });
  afterAll(async () => {
    await store.delete([`${store.keys.seenPrefix(1)}somebody`]);
    await store.close();
  });

  it("counts as kept only by a Redis that may be believed: others may have another one by now", async () => {
    const limiter = new RateLimiter(store, 0);
    expect(await limiter.remember(1, "somebody", { s0: "1:100" })).toBe(true);
    isClear = false;
    await eventually(() => !store.readable, "doubts about Redis");
    expect(await limiter.remember(1, "somebody", { s0: "1:200" })).toBe(false);
  });
});
