import { Redis } from "ioredis";
import { limits } from "../../config/limits.ts";
import { readWindows, WHOLE } from "../../mixins/redis/windowed-list.ts";
import { bucketOf } from "../../mixins/shard-db/ids.ts";
import { sql } from "../../mixins/shard-db/index.ts";
import { scatter } from "../../mixins/shard-db/scatter.ts";
import { TweetCache } from "../../services/tweet/tweet-cache.ts";
import { eventually, type Person, Roost } from "../support/roost.ts";
import { serverUrl } from "../support/servers.ts";

const THRESHOLD = 2;

describe("timelines", () => {
  let roost: Roost;
  beforeAll(async () => {
    roost = await Roost.start({ shards: 2, env: { FANOUT_POLICY: String(THRESHOLD) } });
  });
  afterAll(() => roost.stop());

  const tweet = async (who: Person, text = "hello") => (await roost.call("tweet.create", { text }, who)).id;
  const follow = (who: Person, whom: Person) => roost.call("graph.follow", { target_user_id: whom.id }, who);
  const agree = async (viewer: Person, limit?: number) =>
    expect(await roost.homeIds(viewer, limit)).toEqual(await roost.oracle.homeOf(viewer.id));
  /** Tweets of the past, as if their fan-out were long done. */
  const history = async (author: Person, count: number) => {
    await roost.resources.db.write(
      { id: author.id },
      sql`INSERT INTO tweets (id, author_id, text)
          SELECT next_id(${bucketOf(author.id)}), ${author.id}, 'old ' || n FROM generate_series(1, ${count}) n`,
    );
  };

  describe("longer than what Redis keeps", () => {
    const many = limits.homeList.keep + 150;

    it("go on in Postgres with the same cursor, to the first tweet ever", async () => {
      const [me, author, other] = (await roost.people(3)) as [Person, Person, Person];
      await history(author, many);
      await history(other, 30);
      await follow(me, author);
      await follow(me, other);
      expect(await roost.homeIds(me)).toHaveLength(many + 30);
      await agree(me, 97);
    });

    it("stay whole when pushes have cut the list", async () => {
      const [me, author] = (await roost.people(2)) as [Person, Person];
      await follow(me, author);
      await roost.homeIds(me);
      const [first] = await Promise.all([tweet(author), roost.settle()]);
      await scatter(Array.from({ length: 900 }), 8, () => tweet(author));
      await roost.settle();
      const ids = await roost.homeIds(me);
      expect(ids).toHaveLength(901);
      expect(ids.at(-1)).toBe(first);
      await agree(me, 50);
    });

    it("of an author do the same", async () => {
      const [me, author] = (await roost.people(2)) as [Person, Person];
      await history(author, many);
      const ids: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await roost.call("timeline.user", { user_id: author.id, limit: 100, cursor }, me);
        ids.push(...page.tweets.map(({ id }) => id));
        cursor = page.next_cursor;
      } while (cursor);
      expect(ids).toEqual(await roost.oracle.homeOf(author.id));
    });
  });

  describe("in pages", () => {
    it("give the same going back as going on, wherever the list ends", async () => {
      const [me, author] = (await roost.people(2)) as [Person, Person];
      await history(author, limits.homeList.keep + 20);
      await follow(me, author);
      const page = (cursor?: string) =>
        roost.call("timeline.home", { user_id: me.id, limit: 90, cursor }, me);
      const forth = [await page()];
      while (forth.at(-1)?.next_cursor) forth.push(await page(forth.at(-1)?.next_cursor));
      const back = [forth.at(-1)];
      while (back[0]?.previous_cursor) back.unshift(await page(back[0].previous_cursor));
      const texts = (pages: typeof back) => pages.map((one) => one?.tweets.map(({ text }) => text));
      expect(texts(back)).toEqual(texts(forth));
    });

    it("keep between since_id and until_id", async () => {
      const [me] = (await roost.people(1)) as [Person];
      const ids = [];
      for (let i = 0; i < 6; i++) ids.push(await tweet(me, `tweet ${i}`));
      const query = { user_id: me.id, limit: 10, since_id: ids[1], until_id: ids[5] };
      const { tweets } = await roost.call("timeline.home", query, me);
      expect(tweets.map(({ id }) => id)).toEqual([ids[4], ids[3], ids[2]]);
    });

    it("are full although many entries are hidden", async () => {
      const [me, loud, quiet] = (await roost.people(3)) as [Person, Person, Person];
      await follow(me, quiet);
      await follow(me, loud);
      await history(quiet, 20);
      await history(loud, 200);
      await roost.homeIds(me);
      await roost.call("graph.mute", { target_user_id: loud.id }, me);
      const { tweets } = await roost.call("timeline.home", { user_id: me.id, limit: 15 }, me);
      expect(tweets).toHaveLength(15);
      await agree(me, 7);
    });
  });

  describe("of an author with many followers", () => {
    const state = async (author: Person) => {
      const [row] = await roost.resources.db.read(
        { id: author.id },
        sql<{ state: string }>`SELECT state FROM pull_authors WHERE author_id = ${author.id}`,
      );
      return row?.state;
    };

    it("are pulled at read time: not in the followers' lists, but in their timelines", async () => {
      const [author, ...fans] = (await roost.people(THRESHOLD + 2)) as [Person, ...Person[]];
      for (const fan of fans) await follow(fan, author);
      await Promise.all(fans.map((fan) => roost.homeIds(fan)));
      const pushed = await tweet(author, "the last one to be pushed");
      await eventually(async () => (await state(author)) === "pull", "the author pulled");
      const pulled = await tweet(author, "pulled");
      await roost.settle();
      const { redis } = roost.resources;
      if (!redis) throw new Error("this needs Redis");
      for (const fan of fans) {
        expect(await roost.homeIds(fan)).toEqual([pulled, pushed]);
        const key = redis.keys.home(fan.id);
        expect((await readWindows(redis, [key], { count: WHOLE })).get(key)?.ids).toEqual([pushed]);
      }
      const [fan] = fans as [Person];
      await roost.call("graph.unfollow", { target_user_id: author.id }, fan);
      expect(await roost.homeIds(fan)).toEqual([]);
      await redis.delete(redis.keys.allPulled());
      await Promise.all(fans.map((one) => agree(one)));
    });
  });

  it("show a tweet again whose delete was begun and never committed", async () => {
    const [me] = (await roost.people(1)) as [Person];
    const id = await tweet(me);
    const { db, redis } = roost.resources;
    await new TweetCache(db, redis).hideMeanwhile(id);
    expect(await roost.homeIds(me)).toEqual([]);
    const ttl = new Redis(serverUrl("REDIS"));
    expect(await ttl.pttl(redis?.keys.tweetState(id) ?? "")).toBeLessThanOrEqual(60_000);
    ttl.disconnect();
  });

  it("are not for others to read", async () => {
    const [me, other] = (await roost.people(2)) as [Person, Person];
    const query = { user_id: other.id, limit: 10 };
    await expect(roost.call("timeline.home", query, me)).rejects.toMatchObject({ type: "FORBIDDEN" });
    await expect(roost.call("timeline.home", query)).rejects.toMatchObject({ type: "UNAUTHORIZED" });
  });

  it("are the same without Redis", async () => {
    const without = await Roost.start({ shards: 2, redisUrl: "none" });
    const [me, author] = (await without.people(2)) as [Person, Person];
    await without.call("graph.follow", { target_user_id: author.id }, me);
    for (let i = 0; i < 7; i++) await without.call("tweet.create", { text: `${i}` }, i % 2 ? me : author);
    expect(await without.homeIds(me, 3)).toEqual(await without.oracle.homeOf(me.id));
    await without.call("graph.mute", { target_user_id: author.id }, me);
    expect(await without.homeIds(me, 3)).toEqual(await without.oracle.homeOf(me.id));
    await without.settle();
    await without.stop();
  });
});
