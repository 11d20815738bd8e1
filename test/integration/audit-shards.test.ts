import { sql } from "../../mixins/shard-db/index.ts";
import type { Finding } from "../../services/operator/audit-findings.ts";
import { type Person, Roost } from "../support/roost.ts";

describe("an audit of shards", () => {
  let roost: Roost;
  beforeAll(async () => {
    roost = await Roost.start({ shards: 3 });
  });
  afterAll(() => roost.stop());
  afterEach(async () => {
    expect(await roost.audit()).toEqual([]);
  });

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

  /** Audits and mends: what was found, of one sort. */
  async function mended(check: Finding["check"]): Promise<Finding[]> {
    const found = await roost.mend();
    await roost.settle();
    return found.filter((finding) => finding.check === check);
  }

  const metrics = async (who: Person) => {
    const [user] = await roost.call("user.get", { ids: [who.id], with_metrics: true });
    return user?.public_metrics;
  };

  it("finds nothing in a healthy one", async () => {
    await three();
    expect(await roost.audit()).toEqual([]);
  });

  it("finds and mends a mirror that is missing, one too many and one with another id", async () => {
    const { db } = roost.resources;
    const [a, b, c] = await three();
    await db.write({ id: b.id }, sql`DELETE FROM inverse_edges WHERE dst = ${b.id} AND src = ${a.id}`);
    await db.write(
      { id: a.id },
      sql`INSERT INTO inverse_edges VALUES (${a.id}, 'mute', bucket_of(${c.id}), ${c.id}, 5)`,
    );
    await db.write({ id: c.id }, sql`UPDATE inverse_edges SET id = 7 WHERE dst = ${c.id} AND src = ${a.id}`);
    const found = await mended("mirror");
    expect(found).toHaveLength(3);
    const missing = { src: a.id, kind: "follow", dst: b.id, forward: expect.any(String), mirror: null };
    const stray = { src: c.id, kind: "mute", dst: a.id, forward: null, mirror: "5" };
    const other = { src: a.id, kind: "follow", dst: c.id, forward: expect.any(String), mirror: "7" };
    for (const fault of [missing, stray, other]) expect(found).toContainEqual({ check: "mirror", ...fault });
    expect((await metrics(b))?.followers_count).toBe(1);
  });

  it("finds and mends edges of every kind", async () => {
    const { db } = roost.resources;
    const [a, b] = await three();
    const { id } = await roost.call("tweet.create", { text: "original" }, b);
    const reference = { quote_tweet_id: id, in_reply_to_tweet_id: id };
    await roost.call("graph.like", { tweet_id: id }, a);
    await roost.call("graph.bookmark", { tweet_id: id }, a);
    await roost.call("tweet.retweet", { tweet_id: id }, a);
    await roost.call("tweet.create", { text: `@${b.username} look`, ...reference }, a);
    await roost.settle();
    const lost = sql<{
      kind: string;
    }>`DELETE FROM inverse_edges WHERE dst IN (${id}, ${b.id}) RETURNING kind::text`;
    const kinds = (await db.write({ id: b.id }, lost)).map(({ kind }) => kind).sort();
    expect(kinds).toEqual(["bookmark", "follow", "like", "mention", "quote", "reply", "retweet"]);
    const found = await mended("mirror");
    expect(found.flatMap((finding) => ("kind" in finding ? finding.kind : [])).sort()).toEqual(kinds);
    const [tweet] = (await roost.call("tweet.get", { ids: [id], with_tweet_metrics: true }, a)).tweets;
    const counts = { retweet_count: 1, reply_count: 1, like_count: 1, quote_count: 1, bookmark_count: 1 };
    expect(tweet?.public_metrics).toEqual({ ...counts, impression_count: 0 });
  });

  it("finds and ends a follow across a block, the follower's own or the other's", async () => {
    const { db } = roost.resources;
    const [a, b, c] = await three();
    await roost.call("graph.block", { target_user_id: b.id }, a);
    await roost.call("graph.block", { target_user_id: a.id }, c);
    for (const dst of [b.id, c.id]) {
      await db.write(
        { id: a.id },
        sql`INSERT INTO edges VALUES (${a.id}, 'follow', ${dst}, next_id(bucket_of(${a.id})))`,
      );
    }
    const found = await mended("block");
    expect(found).toHaveLength(2);
    for (const dst of [b.id, c.id]) expect(found).toContainEqual({ check: "block", src: a.id, dst });
    const following = { user_id: a.id, kind: "follow", direction: "out", limit: 10 } as const;
    expect((await roost.call("graph.list", following, a)).users).toEqual([]);
  });

  it("leaves a follow alone that only a stray mirror of a block forbids", async () => {
    const { db } = roost.resources;
    const [a, b] = await three();
    await db.write(
      { id: a.id },
      sql`INSERT INTO inverse_edges VALUES (${a.id}, 'block', bucket_of(${b.id}), ${b.id}, 5)`,
    );
    expect(await mended("block")).toEqual([{ check: "block", src: a.id, dst: b.id }]);
    expect((await metrics(a))?.following_count).toBe(2);
  });

  it("finds counters that do not count their rows, folded or not, and adds what is wrong with them", async () => {
    const { db } = roost.resources;
    const [a, b, c] = await three();
    await db.write({ id: a.id }, sql`SELECT count_delta(${a.id}, 'following', 3)`);
    // In the order in which they are folded: no delta becomes a count after the counts have gone.
    for (const table of [
      sql`DELETE FROM counter_deltas WHERE subject = ${b.id}`,
      sql`DELETE FROM counters WHERE subject = ${b.id}`,
    ]) {
      await db.write({ id: b.id }, table);
    }
    await db.write(
      { id: c.id },
      sql`
      INSERT INTO counters VALUES (${c.id}, 'tweets', 3000000000)
      ON CONFLICT (subject, name) DO UPDATE SET value = counters.value + excluded.value`,
    );
    const found = await mended("counter");
    expect(found).toHaveLength(5);
    for (const fault of [
      { subject: a.id, name: "following", value: "5", rows: "2" },
      { subject: b.id, name: "followers", value: "0", rows: "1" },
      { subject: b.id, name: "following", value: "0", rows: "1" },
      { subject: b.id, name: "tweets", value: "0", rows: "1" },
      { subject: c.id, name: "tweets", value: "3000000001", rows: "1" },
    ]) {
      expect(found).toContainEqual(expect.objectContaining(fault));
    }
    expect(await metrics(b)).toMatchObject({ followers_count: 1, following_count: 1, tweet_count: 1 });
  });

  it("finds rows on a shard that does not own their bucket, or in the wrong bucket", async () => {
    const { db } = roost.resources;
    const [a, b] = await three();
    const other = db.shards.find((shard) => shard !== db.shardOf(a)) ?? "";
    await db.readShard(other, sql`INSERT INTO tweets VALUES (${a.id}, ${a.id}, 'astray')`);
    await db.readShard(other, sql`INSERT INTO edges VALUES (${a.id}, 'mute', 7, 7)`);
    await db.write(b, sql`INSERT INTO inverse_edges VALUES (${b.id}, 'mute', 3, ${a.id}, 7)`);
    const found = await roost.audit();
    expect(found).toHaveLength(3);
    for (const [shard, table] of [
      [other, "edges"],
      [db.shardOf(b), "inverse_edges"],
      [other, "tweets"],
    ]) {
      expect(found).toContainEqual(expect.objectContaining({ check: "placement", shard, table, rows: "1" }));
    }
    await db.write(b, sql`DELETE FROM inverse_edges WHERE dst = ${b.id} AND id = 7`);
    await db.readShard(other, sql`DELETE FROM tweets WHERE id = ${a.id}`);
    await db.readShard(other, sql`DELETE FROM edges WHERE src = ${a.id}`);
  });

  it("finds dead letters, jobs that nobody takes and jobs that keep failing", async () => {
    const { db } = roost.resources;
    await db.readShard(
      "s0",
      sql`INSERT INTO dead_letters VALUES (next_id(1), 'edge', '{}', NULL, 10, 'broken')`,
    );
    await db.readShard("s1", sql`SELECT enqueue(400, 'nobody', '{}', '-6 minutes')`);
    await db.readShard(
      "s2",
      sql`
      INSERT INTO outbox (id, kind, key, last_error, run_after)
      VALUES (next_id(1000) - (700000::bigint << 22), 'failing', '{}', 'away', now())`,
    );
    const found = await roost.audit();
    expect(found).toHaveLength(3);
    for (const job of [
      { shard: "s0", kind: "edge", fault: "was given up: broken" },
      { shard: "s1", kind: "nobody", fault: expect.stringMatching(/^has been due since /) },
      { shard: "s2", kind: "failing", fault: "keeps failing: away" },
    ]) {
      expect(found).toContainEqual(expect.objectContaining({ check: "outbox", ...job }));
    }
    await db.readAll(sql`DELETE FROM dead_letters`);
    await db.readAll(sql`DELETE FROM outbox WHERE kind IN ('nobody', 'failing')`);
  });
});
