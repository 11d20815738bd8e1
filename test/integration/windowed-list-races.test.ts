import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { Redis } from "ioredis";
import { limits } from "../../config/limits.ts";
import { RedisStore } from "../../mixins/redis/index.ts";
import {
  type Built,
  buildWindow,
  pushToWindows,
  readWindows,
  WHOLE,
} from "../../mixins/redis/windowed-list.ts";
import { newestFirst } from "../../mixins/shard-db/ids.ts";
import { serverUrl } from "../support/servers.ts";
import "../support/seed.ts";

// Lists so short that every sequence trims them many times.
jest.mock("../../config/limits.ts", () => {
  const { limits } = jest.requireActual("../../config/limits.ts");
  return { limits: { ...limits, homeList: { ...limits.homeList, keep: 6, slack: 2 } } };
});

const { keep, slack } = limits.homeList;
const RUNS = 150;
const idOf = (n: number) => String(2_000_000_000_000_000_000n + BigInt(n));

/** What happens to a list; numbers pick one of the entries or builds that there are at that moment. */
const step = fc.oneof(
  // Ids come in any order: what commits late may be old.
  {
    weight: 10,
    arbitrary: fc.record({ do: fc.constant("commit" as const), n: fc.integer({ min: 1, max: 80 }) }),
  },
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constantFrom("push" as const, "push and repeat" as const), n: fc.nat() }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("push all" as const), n: fc.nat() }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("lease" as const), n: fc.nat() }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constantFrom("look" as const, "publish" as const), n: fc.nat() }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom("remove" as const, "save" as const, "crash" as const),
      n: fc.nat(),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** A build that waits for the test: first for when it looks at the truth, then for when it publishes. */
interface Build {
  look(): void;
  publish(): Promise<void>;
}

/** One list, and what it should hold. */
class Race {
  readonly #redis: RedisStore;
  readonly #raw: Redis;
  readonly #key: string;
  /** Entries that exist, and those among them whose push is still to come. */
  readonly #committed = new Set<string>();
  readonly #pending: string[] = [];
  readonly #builds: Build[] = [];
  #saved: string[] = [];

  constructor(redis: RedisStore, raw: Redis, key: string) {
    this.#redis = redis;
    this.#raw = raw;
    this.#key = key;
  }

  async play(next: Step): Promise<void> {
    const one = <T>(items: T[]): T[] => items.splice(next.n % Math.max(1, items.length), 1);
    switch (next.do) {
      case "commit":
        if (this.#committed.has(idOf(next.n))) return;
        this.#committed.add(idOf(next.n));
        this.#pending.push(idOf(next.n));
        return;
      case "push":
        for (const id of one(this.#pending)) await this.#push(id);
        return;
      case "push and repeat":
        for (const id of one(this.#pending)) await this.#push(id).then(() => this.#pending.push(id));
        return;
      case "push all":
        for (const id of this.#pending.splice(0)) await this.#push(id);
        return;
      case "lease":
        return this.#lease();
      case "look":
        this.#builds[next.n % Math.max(1, this.#builds.length)]?.look();
        return;
      case "publish":
        for (const build of one(this.#builds)) await build.publish();
        return;
      case "remove":
        return this.#redis.delete([this.#key]);
      case "save":
        this.#saved = await this.#raw.lrange(this.#key, 0, -1);
        return;
      case "crash":
        return this.#crash();
    }
  }

  /** Ends everything that is under way. */
  async end(): Promise<void> {
    for (const build of this.#builds.splice(0)) await build.publish();
    for (const id of this.#pending.splice(0)) await this.#push(id);
  }

  /** Where it is stored, the list holds every entry above its floor, each once, newest first. */
  async check(): Promise<boolean> {
    const window = (await readWindows(this.#redis, [this.#key], { count: WHOLE })).get(this.#key);
    if (!window) return false;
    const { ids, floor } = window;
    const above = (id: string) => newestFirst(id, floor) < 0;
    expect(ids).toEqual([...new Set(ids)].sort(newestFirst));
    expect(ids.length).toBeLessThanOrEqual(keep + slack);
    expect(ids.filter((id) => !above(id) || !this.#committed.has(id))).toEqual([]);
    const due = [...this.#committed].filter((id) => above(id) && !this.#pending.includes(id));
    expect(due.filter((id) => !ids.includes(id))).toEqual([]);
    return true;
  }

  #push(id: string): Promise<void> {
    return pushToWindows(this.#redis, [this.#key], id);
  }

  async #lease(): Promise<void> {
    const look = Promise.withResolvers<void>();
    const publish = Promise.withResolvers<void>();
    const leased = Promise.withResolvers<void>();
    const outcome = buildWindow(this.#redis, this.#key, async () => {
      leased.resolve();
      await look.promise;
      const built = this.#truth();
      await publish.promise;
      return built;
    });
    await Promise.race([leased.promise, outcome]);
    this.#builds.push({
      look: look.resolve,
      publish: async () => {
        look.resolve();
        publish.resolve();
        await outcome;
      },
    });
  }

  #truth(): Built {
    const ids = [...this.#committed].sort(newestFirst);
    return { ids: ids.slice(0, keep), floor: ids[keep] ?? "0" };
  }

  /** Redis is another process now, with what it had saved, if anything. */
  async #crash(): Promise<void> {
    const list = this.#saved.map((entry) => entry.replace(/\|-\d+$/, "|-1"));
    await this.#raw.del(this.#key);
    if (list.length > 0) await this.#raw.rpush(this.#key, ...list);
  }
}

describe("a windowed list", () => {
  const prefix = `test-${randomBytes(6).toString("hex")}:`;
  const redis = new RedisStore(serverUrl("REDIS"), { prefix, maxAgeMs: 60_000, commandTimeoutMs: 60_000 });
  const raw = new Redis(serverUrl("REDIS"));
  beforeAll(() => redis.open());
  afterAll(async () => {
    for await (const keys of redis.allKeys()) if (keys.length > 0) await raw.unlink(keys);
    raw.disconnect();
    await redis.close();
  });

  it("has no hole, whatever races with its builds", async () => {
    let stored = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 80 }), async (steps) => {
        const race = new Race(redis, raw, `${prefix}{1}:${randomBytes(6).toString("hex")}`);
        for (const next of steps) {
          await race.play(next);
          if (await race.check()) stored++;
        }
        await race.end();
        await race.check();
      }),
      { numRuns: RUNS },
    );
    expect(stored).toBeGreaterThan(RUNS);
  });
});
