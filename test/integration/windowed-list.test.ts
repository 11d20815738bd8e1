import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { Redis } from "ioredis";
import { limits } from "../../config/limits.ts";
import { RedisStore } from "../../mixins/redis/index.ts";
import { put, readThrough } from "../../mixins/redis/leased.ts";
import { changeSets, fillSets } from "../../mixins/redis/marked-set.ts";
import {
  buildWindow,
  pushToWindows,
  readWindows,
  type Slice,
  WHOLE,
} from "../../mixins/redis/windowed-list.ts";
import { serverUrl } from "../support/servers.ts";
import "../support/seed.ts";

const base = 2_000_000_000_000_000_000n;
const idOf = (n: number) => String(base + BigInt(n));

let redis: RedisStore;
let raw: Redis;
const prefix = `test-${randomBytes(6).toString("hex")}:`;
beforeAll(async () => {
  // However slow the machine is.
  redis = new RedisStore(serverUrl("REDIS"), { prefix, maxAgeMs: 86_400_000, commandTimeoutMs: 60_000 });
  raw = new Redis(serverUrl("REDIS"));
  await redis.open();
});
afterAll(async () => {
  for await (const keys of raw.scanStream({ match: `${prefix}*` }))
    if (keys.length > 0) await raw.unlink(keys);
  raw.disconnect();
  await redis.close();
});
const freshKey = () => `${prefix}{1}:${randomBytes(6).toString("hex")}`;
const read = async (key: string, slice: Slice = { count: WHOLE }) =>
  (await readWindows(redis, [key], slice)).get(key);
const built =
  (ids: number[], floor = "0") =>
  async () => ({ ids: ids.map(idOf), floor });

describe("a windowed list", () => {
  it("is missing until it is built, and stays missing when it is pushed to", async () => {
    const key = freshKey();
    await pushToWindows(redis, [key], idOf(1));
    expect(await read(key)).toBeUndefined();
    expect(await buildWindow(redis, key, built([2, 1]))).toBe("published");
    expect(await read(key)).toEqual({ floor: "0", cut: false, ids: [idOf(2), idOf(1)] });
  });

  it("may be stored and empty", async () => {
    const key = freshKey();
    await buildWindow(redis, key, built([]));
    await pushToWindows(redis, [key], idOf(1));
    expect(await read(key)).toEqual({ floor: "0", cut: false, ids: [idOf(1)] });
  });

  it("keeps what is pushed while it is built", async () => {
    const key = freshKey();
    await buildWindow(redis, key, async () => {
      await pushToWindows(redis, [key], idOf(9));
      expect(await read(key)).toBeUndefined();
      return { ids: [idOf(1)], floor: "0" };
    });
    expect((await read(key))?.ids).toEqual([idOf(9), idOf(1)]);
  });

  it.each(["an invalidation", "an eviction"])("refuses what was built before %s", async () => {
    const key = freshKey();
    const outcome = await buildWindow(redis, key, async () => {
      await redis.delete([key]);
      return { ids: [idOf(1)], floor: "0" };
    });
    expect([outcome, await read(key)]).toEqual(["refused", undefined]);
  });

  it("is built by one of many who find it missing", async () => {
    const key = freshKey();
    let builds = 0;
    const outcomes = await Promise.all(
      Array.from({ length: 50 }, () =>
        buildWindow(redis, key, async () => {
          builds++;
          await new Promise((resolve) => setTimeout(resolve, 50));
          return { ids: [], floor: "0" };
        }),
      ),
    );
    expect(builds).toBe(1);
    expect(outcomes.filter((outcome) => outcome === "building")).toHaveLength(49);
  });

  it("counts as missing where another Redis process built it", async () => {
    const key = freshKey();
    await buildWindow(redis, key, built([1]));
    await raw.lset(key, -1, "0|-123456789");
    expect(await read(key)).toBeUndefined();
    expect(await buildWindow(redis, key, built([1, 2]))).toBe("published");
  });

  it("is read in slices that say how far they are complete", async () => {
    const key = freshKey();
    await buildWindow(redis, key, built([9, 7, 5, 3], idOf(2)));
    expect(await read(key, { count: 2 })).toEqual({ ids: [idOf(9), idOf(7)], floor: idOf(5), cut: true });
    expect(await read(key, { count: 2, before: idOf(6) })).toEqual({
      ids: [idOf(5), idOf(3)],
      floor: idOf(2),
      cut: false,
    });
    expect(await read(key, { count: 4 })).toEqual({
      ids: [9, 7, 5, 3].map(idOf),
      floor: idOf(2),
      cut: false,
    });
    expect(await read(key, { count: 1, before: idOf(3) })).toEqual({ ids: [], floor: idOf(2), cut: false });
  });

  it("merges what was built with what was pushed meanwhile, each once", async () => {
    const key = freshKey();
    await buildWindow(redis, key, async () => {
      for (const n of [4, 8, 6, 8, 1]) await pushToWindows(redis, [key], idOf(n));
      return { ids: [7, 6, 3].map(idOf), floor: "0" };
    });
    expect((await read(key))?.ids).toEqual([8, 7, 6, 4, 3, 1].map(idOf));
  });

  it("does not take a late push below its floor for an entry while it is built", async () => {
    const key = freshKey();
    const { keep } = limits.homeList;
    const newest = Array.from({ length: keep }, (_, i) => 1_000 + keep - i);
    await buildWindow(redis, key, async () => {
      await pushToWindows(redis, [key], idOf(50));
      return { ids: newest.map(idOf), floor: idOf(1_000) };
    });
    expect(await read(key)).toEqual({ ids: newest.map(idOf), floor: idOf(1_000), cut: false });
    expect((await read(key, { count: 10, before: idOf(1_005) }))?.floor).toBe(idOf(1_000));
  });

  it("holds every entry above its floor, whatever is pushed in whatever order", async () => {
    const { keep, slack } = limits.homeList;
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.integer({ min: 1, max: 5_000 }), { minLength: 0, maxLength: 900 }),
        fc.array(fc.integer({ min: 1, max: 5_000 }), { minLength: keep, maxLength: keep + 3 * slack }),
        async (before, pushes) => {
          const key = freshKey();
          const newest = before.toSorted((a, b) => b - a).slice(0, keep);
          const floor = before.length > keep ? idOf((newest.at(-1) ?? 0) - 1) : "0";
          await buildWindow(redis, key, built(newest, floor));
          await Promise.all(pushes.map((n) => pushToWindows(redis, [key], idOf(n))));
          const window = await read(key);
          if (!window) throw new Error("missing");
          const truth = new Set([...before, ...pushes].map(idOf).filter((id) => id > window.floor));
          expect(window.ids).toEqual([...truth].sort().reverse());
          expect(window.ids.length).toBeLessThanOrEqual(keep + slack);
        },
      ),
      { numRuns: 15 },
    );
  });
});

describe("a marked set", () => {
  const members = async (key: string) =>
    (await raw.smembers(key)).filter((member) => /^\d/.test(member)).sort();

  it("stays a compact set of integers", async () => {
    const key = freshKey();
    await fillSets(redis, [key], async () => [["1", "2"]]);
    expect(await raw.object("ENCODING", key)).toBe("intset");
  });

  it("may be larger than what fits into one call", async () => {
    const key = freshKey();
    const members = Array.from({ length: 130_000 }, (_, i) => String(i + 1));
    expect(await fillSets(redis, [key], async () => [members])).toBe(true);
    expect(await raw.scard(key)).toBe(members.length + 1);
    const again = fillSets(redis, [key], async () => {
      throw new Error("it is stored");
    });
    expect(await again).toBe(true);
  });

  it("takes changes while it is stored, and refuses a fill that a change has overtaken", async () => {
    const key = freshKey();
    expect(await fillSets(redis, [key], async () => [["1"]])).toBe(true);
    await changeSets(redis, [key], "add", "2");
    expect(await members(key)).toEqual(["1", "2"]);
    await redis.delete([key]);
    const stored = await fillSets(redis, [key], async () => {
      await changeSets(redis, [key], "remove", "1");
      return [["1"]];
    });
    expect([stored, await members(key)]).toEqual([false, []]);
  });
});

describe("a leased entry", () => {
  let loads = 0;
  const kind = (load: (ids: string[]) => Promise<Map<string, string>>) => ({
    keyOf: (id: string) => `${prefix}{1}:entry:${id}`,
    ttlMs: 60_000,
    load,
    absent: "-",
  });
  const truth = kind(async (ids) => {
    loads++;
    return new Map(ids.filter((id) => id !== "none").map((id) => [id, `value of ${id}`]));
  });

  it("is loaded once and then read from Redis, absence included", async () => {
    for (let i = 0; i < 3; i++) {
      expect(await readThrough(redis, ["a", "none"], truth)).toEqual(
        new Map([
          ["a", "value of a"],
          ["none", "-"],
        ]),
      );
    }
    expect(loads).toBe(1);
  });

  it("is not filled with what an invalidation or a newer value has overtaken", async () => {
    const stale = kind(async (ids) => {
      await redis.delete([`${prefix}{1}:entry:b`]);
      await put(redis, `${prefix}{1}:entry:c`, "new", 60_000);
      return new Map(ids.map((id) => [id, "old"]));
    });
    await readThrough(redis, ["b", "c"], stale);
    expect(await readThrough(redis, ["b", "c"], truth)).toEqual(
      new Map([
        ["b", "value of b"],
        ["c", "new"],
      ]),
    );
  });

  it("is loaded each time where there is no Redis", async () => {
    expect(await readThrough(undefined, ["a"], truth)).toEqual(new Map([["a", "value of a"]]));
  });
});
