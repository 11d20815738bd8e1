import { execFile } from "node:child_process";
import { Redis } from "ioredis";
import { sql } from "../../mixins/shard-db/index.ts";
import { eventually, type Person, Roost } from "../support/roost.ts";
import { serverUrl } from "../support/servers.ts";

const ROOT = new URL("../../", `file://${__filename}`).pathname;

describe("dead letters", () => {
  let roost: Roost;
  let redis: Redis;
  beforeAll(async () => {
    roost = await Roost.start({ shards: 2 });
    redis = new Redis(serverUrl("REDIS"));
  });
  afterAll(async () => {
    redis.disconnect();
    await roost.stop();
  });

  /** What `npm run dead-letters -- …` does. */
  const command = (...args: string[]) =>
    new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
      const env = { ...process.env, TOPOLOGY_FILE: roost.shards.topologyFile, NODE_OPTIONS: "" };
      execFile(
        "node",
        ["services/operator/cli.ts", "dead-letters", ...args],
        { cwd: ROOT, env },
        (error, stdout, stderr) => resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
      );
    });
  const listed = async () => {
    const { stdout } = await command("list", "--json");
    return stdout
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  };
  const gauge = async () => {
    const answer = await fetch(`http://127.0.0.1:${roost.resources.metricsPort}/metrics`);
    const counts = (await answer.text()).matchAll(/^roost_outbox_dead_letters\{.*kind="tweet".*\} (\d+)$/gm);
    return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
  };
  const homeLists = (people: Person[], id: string) =>
    Promise.all(people.map(async (person) => (await redis.lrange(homeKey(person), 0, -1)).includes(id)));
  const homeKey = ({ id }: Person) => roost.resources.redis?.keys.home(id) ?? "";

  /** An author whose followers have home lists; the list of the first one that is pushed to is no list any more. */
  const poisoned = async () => {
    const [author, ...followers] = (await roost.people(5)) as [Person, ...Person[]];
    for (const follower of followers) {
      await roost.call("graph.follow", { target_user_id: author.id }, follower);
      await roost.homeIds(follower);
    }
    await roost.settle();
    const order = await roost.resources.db.read(
      { id: author.id },
      sql<{ id: string }>`
      SELECT src AS id FROM inverse_edges WHERE dst = ${author.id} AND kind = 'follow' ORDER BY src_bucket, src`,
    );
    const [first, ...others] = order.flatMap(
      ({ id }) => followers.find((follower) => follower.id === id) ?? [],
    );
    if (!first) throw new Error("nobody follows");
    await redis.set(homeKey(first), "not a list");
    return { author, others, mend: () => redis.del(homeKey(first)) };
  };
  const pending = async () => {
    // Retries that wait are due now: ten of them take minutes otherwise.
    await roost.resources.db.readAll(
      sql`UPDATE outbox SET run_after = now() WHERE run_after > now() RETURNING id`,
    );
    return roost.oracle.pendingJobs();
  };

  it("are jobs that keep failing: set aside with their error while others go on, and done when replayed", async () => {
    const { author, others, mend } = await poisoned();
    const [alike, reader] = (await roost.people(2)) as [Person, Person];
    await roost.call("graph.follow", { target_user_id: alike.id }, reader);
    await roost.homeIds(reader);

    const poison = await roost.call("tweet.create", { text: "cannot be pushed" }, author);
    const fine = await roost.call("tweet.create", { text: "can be" }, alike);
    await eventually(
      async () => (await homeLists([reader], fine.id))[0] === true,
      "the other tweet delivered",
    );
    expect(await homeLists(others, poison.id)).toEqual([false, false, false]);
    await eventually(async () => (await pending()) === 0, "the poison set aside");

    const [letter, ...rest] = await listed();
    expect(rest).toEqual([]);
    expect(letter).toMatchObject({ kind: "tweet", key: { id: poison.id }, attempts: 10 });
    expect(letter.last_error).toContain("WRONGTYPE");
    expect((await command("list")).stdout).toContain("WRONGTYPE");
    expect(await gauge()).toBe(1);

    await mend();
    expect(await command("replay", letter.id)).toEqual({ code: 0, stdout: "1 replayed\n", stderr: "" });
    await roost.settle();
    expect(await homeLists(others, poison.id)).toEqual([true, true, true]);
    expect(await listed()).toEqual([]);
    expect(await gauge()).toBe(0);
  });

  it("are replayed on all shards at once, or not at all where one is not there", async () => {
    const { db } = roost.resources;
    // Of a kind that no drain knows: put back, they stay where they are.
    const [first, second] = await Promise.all(
      [0, 1023].map(async (bucket) => {
        const [row] = await db.write(
          { bucket },
          sql<{ id: string }>`
          INSERT INTO dead_letters (id, kind, key, cursor, attempts, last_error)
          VALUES (next_id(${bucket}), 'unknown', '{}', '7', 10, 'x') RETURNING id`,
        );
        return row?.id ?? "";
      }),
    );
    const missing = await command("replay", String(first), "1");
    expect(missing).toEqual({ code: 1, stdout: "", stderr: "no dead letters: 1: nothing was replayed\n" });
    const wrong = await command("replay", String(first), "--all");
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toMatch(/^replay: expected either ids or --all\n\nUsage: /);
    expect(await listed()).toHaveLength(2);

    expect(await command("replay", "--all")).toMatchObject({ code: 0, stdout: "2 replayed\n" });
    expect(await listed()).toEqual([]);
    const jobs = await db.readAll(sql<{ id: string; cursor: unknown; attempts: number }>`
      DELETE FROM outbox WHERE kind = 'unknown' RETURNING id, cursor, attempts`);
    expect(jobs.map(({ id }) => id).sort()).toEqual([first, second].sort());
    expect(jobs).toMatchObject([
      { cursor: 7, attempts: 0 },
      { cursor: 7, attempts: 0 },
    ]);
  });
});
