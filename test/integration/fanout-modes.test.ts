import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { Redis } from "ioredis";
import { RedisDown, RedisStore } from "../../mixins/redis/index.ts";
import { buildWindow, readWindows, WHOLE } from "../../mixins/redis/windowed-list.ts";
import { partitionOf } from "../../mixins/shard-db/ids.ts";
import { sql } from "../../mixins/shard-db/index.ts";
import { authorNow, changeMode, enqueueModeJob, pinMode } from "../../services/timeline/fanout.repo.ts";
import { Fanout } from "../../services/timeline/fanout.ts";
import type { Wanted } from "../../services/timeline/fanout-policy.ts";
import { eventually, type Person, Roost } from "../support/roost.ts";
import { serverUrl } from "../support/servers.ts";

const run = promisify(execFile);
const FLIPS = 200;

class WatchedRedis extends RedisStore {
  readonly #replicated: () => Promise<boolean>;

  constructor(prefix: string, replicated: () => Promise<boolean>) {
    super(serverUrl("REDIS"), { prefix, maxAgeMs: 1_000 });
    this.#replicated = replicated;
  }

  override async durably<T>(writes: () => Promise<T>): Promise<T> {
    const result = await writes();
    if (!(await this.#replicated())) throw new RedisDown("no replica has it");
    return result;
  }
}

const job = (kind: string, key: unknown) => ({ id: "1", kind, key, cursor: null, attempts: 1, lost: 0 });

describe("an author who switches between push and pull", () => {
  let roost: Roost;
  beforeAll(async () => {
    roost = await Roost.start({ shards: 2, env: { HOME_LIST_MAX_AGE_S: "1", FANOUT_PAGE: "3" } });
  });
  afterAll(() => roost.stop());

  const redis = () => {
    const { redis } = roost.resources;
    if (!redis) throw new Error("this needs Redis");
    return redis;
  };
  /** The same Redis, with an answer of the test's own to whether a replica has what was written. */
  const storeOf = async (replicated: () => Promise<boolean>) => {
    const store = new WatchedRedis(roost.env.REDIS_PREFIX ?? "", replicated);
    await store.open();
    return store;
  };
  const fanoutWith = (stores: { redis?: RedisStore; pushes?: RedisStore; policy?: Wanted }) => {
    const { db, metrics } = roost.resources;
    const common = { db, metrics, policy: "pull", homeListMaxAgeMs: 1_000, page: 10 } as const;
    return new Fanout({ ...common, redis: redis(), pushes: redis(), ...stores });
  };
  const pin = (author: Person, mode: Wanted | null) => pinMode(roost.resources.db, author.id, mode);
  const modeOf = async ({ id }: Person) => (await authorNow(roost.resources.db, id)).mode;
  const tweet = async (who: Person) => (await roost.call("tweet.create", { text: "hello" }, who)).id;
  const follow = (who: Person, whom: Person) => roost.call("graph.follow", { target_user_id: whom.id }, who);
  const stored = async ({ id }: Person) => {
    const key = redis().keys.home(id);
    return (await readWindows(redis(), [key], { count: WHOLE })).get(key)?.ids;
  };
  const undelivered = async () => {
    const jobs = sql<{ id: string }>`SELECT key->>'id' AS id FROM outbox WHERE kind = 'tweet'`;
    return new Set((await roost.resources.db.readAll(jobs)).map(({ id }) => id));
  };
  const agree = async (viewer: Person) =>
    expect(await roost.homeIds(viewer)).toEqual(await roost.oracle.homeOf(viewer.id));

  it("is pushed, pulled and pushed again at an operator's word", async () => {
    const [author, fan] = (await roost.people(2)) as [Person, Person];
    await follow(fan, author);
    await pin(author, "pull");
    await eventually(async () => (await modeOf(author)) === "pull", "the author pulled");
    await roost.homeIds(fan);
    const pulled = await tweet(author);
    await roost.settle();
    expect(await stored(fan)).not.toContain(pulled);
    await agree(fan);
    await pin(author, "push");
    await eventually(async () => (await modeOf(author)) === "leaving", "the author leaving");
    await agree(fan);
    await eventually(async () => (await modeOf(author)) === "push", "the author pushed");
    await roost.homeIds(fan);
    const pushed = await tweet(author);
    await roost.settle();
    expect((await stored(fan)) ?? [pushed]).toContain(pushed);
    await agree(fan);
  });

  it("is looked for by nobody any more, even where the job that ended it died before it could say so", async () => {
    const [author, fan] = (await roost.people(2)) as [Person, Person];
    await pin(author, "pull");
    await eventually(async () => (await modeOf(author)) === "pull", "the author pulled");
    const raw = new Redis(serverUrl("REDIS"));
    const set = redis().keys.pulled(partitionOf(fan.id));
    const isLookedFor = async () => (await raw.sismember(set, author.id)) === 1;
    await eventually(async () => {
      await roost.homeIds(fan);
      return isLookedFor();
    }, "a reader who looks for the author");
    // It would expire within a second here.
    await raw.persist(set);
    await pin(author, "push");
    await roost.resources.db.write(author, sql`DELETE FROM pull_authors WHERE author_id = ${author.id}`);
    expect(await isLookedFor()).toBe(true);
    await fanoutWith({ policy: "push" }).mode(
      job("mode", { author: author.id, left: "a stay that is over" }),
    );
    expect(await isLookedFor()).toBe(false);
    raw.disconnect();
  });

  it("can be asked for and pinned on the command line", async () => {
    const [author] = (await roost.people(1)) as [Person];
    const command = async (...args: string[]) => {
      const { stdout } = await run(process.execPath, ["services/operator/cli.ts", "fanout", ...args], {
        env: { ...process.env, ...roost.env },
      });
      return JSON.parse(stdout);
    };
    expect(await command("pin", author.id, "pull")).toMatchObject({ user: author.id, pinned: "pull" });
    await eventually(async () => (await modeOf(author)) === "pull", "the author pulled");
    const shown = { user: author.id, mode: "pull", pinned: "pull", followers: 0 };
    expect(await command("show", author.id)).toEqual(shown);
    expect(await command("pin", author.id, "none")).toMatchObject({ pinned: null });
    await expect(command("pin", author.id, "sideways")).rejects.toMatchObject({ code: 2 });
    await expect(command("pin", "1234567890123456789", "pull")).rejects.toMatchObject({ code: 1 });
  });

  it("does so for users only", async () => {
    expect(await pinMode(roost.resources.db, "1234567890123456789", "pull")).toBe(false);
  });

  it("stays to be looked for until the last list has expired that lacks a tweet", async () => {
    /** A build that has read Postgres before a tweet, and stores its list as late as it may; undefined: too late. */
    const slowBuild = async () => {
      const [author, fan] = (await roost.people(2)) as [Person, Person];
      await follow(fan, author);
      await pin(author, "pull");
      await eventually(async () => (await modeOf(author)) === "pull", "the author pulled");
      await roost.homeIds(fan);
      const key = redis().keys.home(fan.id);
      await redis().delete([key]);
      const leasedAt = Date.now();
      const published = await buildWindow(redis(), key, async () => {
        const id = await tweet(author);
        await eventually(async () => !(await undelivered()).has(id), "the tweet's job done");
        await pin(author, "push");
        await fanoutWith({ policy: "push" }).mode(job("mode", { author: author.id }));
        await sleep(Math.max(0, leasedAt + 900 - Date.now()));
        return { ids: [], floor: "0" };
      });
      return published === "published" ? { author, fan } : undefined;
    };
    let built = await slowBuild();
    while (!built) built = await slowBuild();
    const { author, fan } = built;
    expect(await stored(fan)).toEqual([]);
    while ((await modeOf(author)) !== "push") {
      await agree(fan);
      for (const shard of roost.resources.db.shards) {
        await roost.broker.broadcast("outbox.ready", { shard, kinds: ["mode"] });
      }
    }
    await agree(fan);
  });

  it("ends where the last word sends them, though another job is on its way elsewhere", async () => {
    const [author] = (await roost.people(1)) as [Person];
    const announced = Promise.withResolvers<boolean>();
    const slow = await storeOf(() => announced.promise);
    await roost.resources.db.write(
      { id: author.id },
      sql`INSERT INTO pull_authors (author_id, state) VALUES (${author.id}, 'entering')`,
    );
    const earlier = fanoutWith({ redis: slow }).mode(job("mode", { author: author.id }));
    await pin(author, "push");
    await eventually(async () => (await modeOf(author)) === "leaving", "the author leaving");
    announced.resolve(true);
    expect(await earlier).toBe("done");
    await roost.settle();
    expect(await modeOf(author)).toBe("push");
    await slow.close();
  });

  it("is moved by nobody who saw an earlier stay in the same mode", async () => {
    const [author] = (await roost.people(1)) as [Person];
    const { db } = roost.resources;
    await db.write(
      { id: author.id },
      sql`INSERT INTO pull_authors (author_id, state) VALUES (${author.id}, 'leaving')`,
    );
    const seen = await authorNow(db, author.id);
    await changeMode(db, author.id, seen, "entering");
    await changeMode(db, author.id, await authorNow(db, author.id), "leaving");
    for (const next of ["push", "entering"] as const) await changeMode(db, author.id, seen, next);
    const now = await authorNow(db, author.id);
    expect(now.mode).toBe("leaving");
    await changeMode(db, author.id, now, "push");
    expect(await modeOf(author)).toBe("push");
  });

  it("does not count a tweet as delivered that a failover may lose", async () => {
    const [author] = (await roost.people(1)) as [Person];
    const id = await tweet(author);
    await roost.settle();
    // A master that was deposed takes what it is sent, and no replica gets it.
    const deposed = await storeOf(async () => false);
    const fanout = fanoutWith({ pushes: deposed });
    await expect(fanout.tweet(job("tweet", { id }))).rejects.toThrow("no replica");
    const laterPage = { ...job("tweet", { id }), cursor: { bucket: 0, src: author.id } };
    await expect(fanout.tweet(laterPage)).rejects.toThrow("no replica");
    await roost.call("tweet.delete", { id }, author);
    await expect(fanout.tweet(job("tweet", { id }))).rejects.toThrow("no replica");
    await deposed.close();
  });

  it("neither loses nor doubles a tweet, hundreds of times, among tweets, reads and rebuilds", async () => {
    const [author, other, ...fans] = (await roost.people(9)) as [Person, Person, ...Person[]];
    for (const fan of fans) {
      await follow(fan, author);
      await follow(fan, other);
    }
    const { db } = roost.resources;
    const composed: string[] = [];
    let over = false;
    const until = async (work: () => Promise<unknown>) => {
      while (!over) await work();
    };
    const some = <T>(items: T[]) => items[Math.floor(Math.random() * items.length)] as T;
    const flip = async () => {
      for (let n = 0; n < FLIPS; n++) {
        await pin(author, some(["push", "pull"]));
        if (n % 10 === 0) await enqueueModeJob(db, { author: author.id });
        if (n % 50 === 49) await sleep(2_500);
      }
      over = true;
    };
    const read = async () => {
      const fan = some(fans);
      const before = [...composed];
      const pending = await undelivered();
      const shown = new Set(await roost.homeIds(fan));
      expect(before.filter((id) => !pending.has(id) && !shown.has(id))).toEqual([]);
    };
    await Promise.all([
      flip(),
      until(async () => composed.push(await tweet(some([author, author, other])))),
      until(read),
      until(read),
      until(async () => {
        const { keys } = redis();
        await redis().delete(some([[keys.home(some(fans).id)], [keys.author(author.id)], keys.allPulled()]));
        await sleep(30);
      }),
    ]);
    await roost.settle();
    for (const fan of fans) await agree(fan);
  });
});
