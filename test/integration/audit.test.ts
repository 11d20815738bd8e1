import { sql } from "../../mixins/shard-db/index.ts";
import type { Finding } from "../../services/operator/audit-findings.ts";
import { type Person, Roost } from "../support/roost.ts";

describe("an audit of shards", () => {
  let roost: Roost;
  beforeAll(async () => {
    roost = await Roost.start({ shards: 3 });
  });
  afterAll(() => roost.stop());

  /** Three people: the first follows the others, the second follows the third; each has tweeted. */
  async function three(): Promise<[Person, Person, Person]> {
    const [a, b, c] = (await roost.people(3)) as [Person, Person, Person];
    await roost.call("graph.follow", { target_user_id: b.id }, a);
    await roost.call("graph.follow", { target_user_id: c.id }, a);
    await roost.call("graph.follow", { target_user_id: c.id }, b);
    for (const who of [a, b, c]) await roost.call("tweet.create", { text: "hello" }, who);
    await roost.settle();
    return [a, b, c];
  }

  /** What an audit finds about some people. */
  async function findings(people: Person[], check: Finding["check"]): Promise<Finding[]> {
    const found = (await roost.audit()).filter((finding) => finding.check === check);
    return found.filter((finding) => people.some(({ id }) => JSON.stringify(finding).includes(id)));
  }

  it("finds nothing in a healthy one", async () => {
    await three();
    expect(await roost.audit()).toEqual([]);
  });

  it("finds a mirror that is missing, one too many and one with another id", async () => {
    const { db } = roost.resources;
    const [a, b, c] = await three();
    await db.write({ id: b.id }, sql`DELETE FROM inverse_edges WHERE dst = ${b.id} AND src = ${a.id}`);
    await db.write(
      { id: a.id },
      sql`INSERT INTO inverse_edges VALUES (${a.id}, 'mute', bucket_of(${c.id}), ${c.id}, 5)`,
    );
    await db.write({ id: c.id }, sql`UPDATE inverse_edges SET id = 7 WHERE dst = ${c.id} AND src = ${a.id}`);
    const found = await findings([a, b, c], "mirror");
    expect(found).toHaveLength(3);
    const missing = { src: a.id, kind: "follow", dst: b.id, forward: expect.any(String), mirror: null };
    const stray = { src: c.id, kind: "mute", dst: a.id, forward: null, mirror: "5" };
    const other = { src: a.id, kind: "follow", dst: c.id, forward: expect.any(String), mirror: "7" };
    for (const fault of [missing, stray, other]) expect(found).toContainEqual({ check: "mirror", ...fault });
  });

  it("finds a follow across a block, the follower's own or the other's", async () => {
    const { db } = roost.resources;
    const [a, b, c] = await three();
    await roost.call("graph.block", { target_user_id: b.id }, a);
    await roost.call("graph.block", { target_user_id: a.id }, c);
    for (const dst of [b.id, c.id]) {
      await db.write({ id: a.id }, sql`INSERT INTO edges VALUES (${a.id}, 'follow', ${dst}, 5)`);
    }
    const found = await findings([a], "block");
    expect(found).toHaveLength(2);
    for (const dst of [b.id, c.id]) expect(found).toContainEqual({ check: "block", src: a.id, dst });
  });

  it("finds counters that do not count their rows, folded or not", async () => {
    const { db } = roost.resources;
    const [a, b, c] = await three();
    await db.write({ id: a.id }, sql`SELECT count_delta(${a.id}, 'following', 3)`);
    await db.write(
      { id: b.id },
      sql`DELETE FROM counter_deltas WHERE subject = ${b.id} AND name = 'followers'`,
    );
    await db.write({ id: b.id }, sql`DELETE FROM counters WHERE subject = ${b.id} AND name = 'followers'`);
    await db.write(
      { id: c.id },
      sql`INSERT INTO counters VALUES (${c.id}, 'tweets', 5)
                                     ON CONFLICT (subject, name) DO UPDATE SET value = counters.value + 5`,
    );
    const found = await findings([a, b, c], "counter");
    expect(found).toHaveLength(3);
    for (const fault of [
      { subject: a.id, name: "following", value: "5", rows: "2" },
      { subject: b.id, name: "followers", value: "0", rows: "1" },
      { subject: c.id, name: "tweets", value: "6", rows: "1" },
    ]) {
      expect(found).toContainEqual(expect.objectContaining(fault));
    }
  });

  it("finds rows on a shard that does not own their bucket", async () => {
    const { db } = roost.resources;
    const [a] = await three();
    const other = db.shards.find((shard) => shard !== db.shardOf(a)) ?? "";
    await db.readShard(other, sql`INSERT INTO tweets VALUES (${a.id}, ${a.id}, 'astray')`);
    await db.readShard(other, sql`INSERT INTO edges VALUES (${a.id}, 'mute', 7, 7)`);
    const found = (await roost.audit()).filter(({ check }) => check === "placement");
    expect(found).toEqual([
      expect.objectContaining({ shard: other, table: "edges", rows: "1" }),
      expect.objectContaining({ shard: other, table: "tweets", rows: "1" }),
    ]);
  });

  it("finds dead letters and jobs that nobody takes", async () => {
    const { db } = roost.resources;
    await db.readShard(
      "s0",
      sql`INSERT INTO dead_letters VALUES (next_id(1), 'edge', '{}', NULL, 10, 'broken')`,
    );
    await db.readShard("s1", sql`SELECT enqueue(400, 'nobody', '{}', '-6 minutes')`);
    const found = (await roost.audit()).filter(({ check }) => check === "outbox");
    expect(found).toHaveLength(2);
    expect(found).toContainEqual(
      expect.objectContaining({ shard: "s0", kind: "edge", fault: "was given up: broken" }),
    );
    expect(found).toContainEqual(expect.objectContaining({ shard: "s1", kind: "nobody" }));
    for (const shard of ["s0", "s1"]) {
      await db.readShard(shard, sql`DELETE FROM dead_letters`);
      await db.readShard(shard, sql`DELETE FROM outbox WHERE kind = 'nobody'`);
    }
  });
});
