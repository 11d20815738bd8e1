import { setTimeout as sleep } from "node:timers/promises";
import { nothingWaitsForRedis } from "../../mixins/outbox.repo.ts";
import { OutboxDrain } from "../../mixins/outbox.ts";
import type { PageHandler } from "../../mixins/outbox-worker.ts";
import { RedisDown } from "../../mixins/redis/index.ts";
import { sql } from "../../mixins/shard-db/index.ts";
import { scatter } from "../../mixins/shard-db/scatter.ts";
import { unavailable } from "../../services/contracts/errors.ts";
import { deadLetters } from "../../services/operator/dead-letters.repo.ts";
import { eventually, Roost } from "../support/roost.ts";

describe("the outbox", () => {
  let roost: Roost;
  let drains: OutboxDrain[] = [];
  beforeAll(async () => {
    roost = await Roost.start({ shards: 1, services: [], redisUrl: "none" });
  });
  afterEach(async () => {
    await Promise.all(drains.map((drain) => drain.stop()));
    drains = [];
    await roost.resources.db.write({ bucket: 0 }, sql`DELETE FROM outbox`);
  });
  afterAll(() => roost.stop());

  const drain = (handler: PageHandler): OutboxDrain => {
    const { db, metrics } = roost.resources;
    const made = new OutboxDrain({
      broker: roost.broker,
      db,
      metrics,
      service: "timeline",
      handlers: {},
      paged: { test: handler },
    });
    drains.push(made);
    made.start();
    return made;
  };
  const enqueue = async (name: string) => {
    const [row] = await roost.resources.db.write(
      { bucket: 0 },
      sql<{ id: string }>`SELECT enqueue(0, 'test', ${JSON.stringify(name)}) AS id`,
    );
    return row?.id ?? "";
  };
  const left = async () => {
    return roost.resources.db.readAll(sql<{ attempts: number; continued: boolean; begun: number | null }>`
      SELECT attempts, cursor IS NOT NULL AS continued, times AS begun FROM outbox LEFT JOIN outbox_begun USING (id)`);
  };
  const due = () => roost.resources.db.write({ bucket: 0 }, sql`UPDATE outbox SET run_after = now()`);

  it("hands each job to one worker, however many there are, and counts no attempt that is not made", async () => {
    const names = Array.from({ length: 400 }, (_, i) => `job ${i}`);
    await scatter(names, 4, enqueue);
    const seen: { key: unknown; attempts: number }[] = [];
    for (let i = 0; i < 4; i++) {
      drain(async ({ key, attempts }) => {
        seen.push({ key, attempts });
        return "done";
      });
    }
    await eventually(async () => (await left()).length === 0, "an empty outbox");
    expect(seen.map(({ key }) => key).toSorted()).toEqual(names.toSorted());
    expect(seen.filter(({ attempts }) => attempts !== 1)).toEqual([]);
  });

  it("continues a long job from its cursor, behind the jobs that wait", async () => {
    const order: string[] = [];
    await enqueue("long");
    for (let i = 0; i < 70; i++) await enqueue("short");
    drain(async ({ key, cursor }) => {
      const page = Number(cursor ?? 0);
      order.push(`${key}${key === "long" ? page : ""}`);
      return key === "long" && page < 3 ? { cursor: page + 1 } : "done";
    });
    await eventually(async () => (await left()).length === 0, "an empty outbox");
    expect(order.filter((name) => name.startsWith("long"))).toEqual(["long0", "long1", "long2", "long3"]);
    expect(order.slice(0, order.indexOf("long1")).filter((name) => name === "short").length).toBeGreaterThan(
      60,
    );
  });

  it("lets no new job wait for a page of a job that is continued", async () => {
    const page = Promise.withResolvers<void>();
    const done: unknown[] = [];
    await enqueue("giant");
    drain(async ({ key, cursor }) => {
      if (key === "giant" && cursor === null) return { cursor: 1 };
      if (key === "giant") await page.promise;
      done.push(key);
      return "done";
    });
    await eventually(
      async () => (await left()).some((job) => job.continued && job.begun === 1),
      "the second page under way",
    );
    await enqueue("new");
    await eventually(() => done.includes("new"), "the new job done");
    page.resolve();
    await eventually(async () => (await left()).length === 0, "an empty outbox");
    expect(done).toEqual(["new", "giant"]);
  });

  it("frees a job at once when its worker's connection is gone, and has counted the attempt", async () => {
    await enqueue("crash");
    const attemptsSeen: number[] = [];
    let crashed = () => {};
    const crash = new Promise<void>((resolve) => {
      crashed = resolve;
    });
    drain(async ({ attempts }) => {
      if (attemptsSeen.push(attempts) > 1) return "done";
      // What a SIGKILL of the worker looks like from here: its connections break while the job is under way.
      await roost.resources.db.readAll(sql`
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND state = 'idle in transaction'`);
      crashed();
      return "done";
    });
    await crash;
    await eventually(async () => (await left()).length === 0, "the job done by a second attempt");
    expect(attemptsSeen).toEqual([1, 2]);
  });

  it("tries a job alone whose last attempt never came back, so that it cannot take others down", async () => {
    const id = await enqueue("suspect");
    await enqueue("innocent");
    await roost.resources.db.write({ bucket: 0 }, sql`INSERT INTO outbox_begun VALUES (${id}, 1)`);
    const together: string[][] = [];
    let running: string[] = [];
    drain(async ({ key }) => {
      running.push(String(key));
      await sleep(20);
      together.push([...running]);
      running = [];
      return "done";
    });
    await eventually(async () => (await left()).length === 0, "an empty outbox");
    expect(together.flat().sort()).toEqual(["innocent", "suspect"]);
    expect(together.filter((group) => group.includes("suspect"))).toEqual([["suspect"]]);
  });

  it("waits for a dependency that is down without counting attempts", async () => {
    await enqueue("waits");
    let tries = 0;
    drain(async () => {
      if (++tries < 3) throw new RedisDown("gone");
      return "done";
    });
    await eventually(() => tries >= 2, "two attempts");
    await eventually(
      async () => (await left()).every(({ attempts }) => attempts <= 1),
      "attempts given back",
    );
    await eventually(async () => (await left()).length === 0, "an empty outbox");
  });

  it("sets a job aside unseen whose many attempts never came back", async () => {
    const id = await enqueue("killer");
    await roost.resources.db.write({ bucket: 0 }, sql`INSERT INTO outbox_begun VALUES (${id}, 10)`);
    const seen: unknown[] = [];
    drain(async ({ key }) => {
      seen.push(key);
      return "done";
    });
    await eventually(async () => (await left()).length === 0, "an empty outbox");
    expect(seen).toEqual([]);
    expect(await deadLetters(roost.resources.db, 10)).toMatchObject([{ id, key: "killer", attempts: 11 }]);
    await roost.resources.db.write({ bucket: 0 }, sql`DELETE FROM dead_letters`);
  });

  it("is not upset by an error text that Postgres cannot store", async () => {
    await enqueue("odd");
    await enqueue("fine");
    let tries = 0;
    drain(async ({ key }) => {
      if (key === "odd" && ++tries === 1) throw new Error(`a\u0000b\ud800 ${"long ".repeat(2_000)}`);
      return "done";
    });
    await eventually(async () => (await left()).length === 0, "an empty outbox");
    expect(tries).toBe(2);
  });

  it("says that readers keep off Redis, until the last job that waited for it is done", async () => {
    const { db } = roost.resources;
    await enqueue("unfollow");
    const seen: boolean[] = [];
    let tries = 0;
    drain(async () => {
      if (++tries > 1) seen.push(await nothingWaitsForRedis(db));
      if (tries === 1) throw new RedisDown("gone");
      if (tries === 2) throw unavailable("A shard");
      return "done";
    });
    await eventually(async () => (await left()).length === 0, "an empty outbox");
    expect(seen).toEqual([false, false]);
    expect(await nothingWaitsForRedis(db)).toBe(true);
  });

  it("sets a job aside that keeps failing, with its error, and goes on with the others", async () => {
    const id = await enqueue("poison");
    drain(async ({ key }) => {
      if (key === "poison") throw new Error("cannot be done");
      return "done";
    });
    await enqueue("fine");
    await eventually(async () => {
      await due();
      return (await left()).length === 0;
    }, "an empty outbox");
    const dead = await deadLetters(roost.resources.db, 10);
    expect(dead).toMatchObject([
      { id, kind: "test", key: "poison", attempts: 10, last_error: "Error: cannot be done" },
    ]);
  });
});
