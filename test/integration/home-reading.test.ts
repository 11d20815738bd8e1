import fc from "fast-check";
import { scatter } from "../../mixins/shard-db/scatter.ts";
import type { TimelineQuery, Tweet } from "../../services/contracts/tweets.ts";
import type { Id } from "../../services/contracts/users.ts";
import { referenceOf } from "../../services/tweet/references.ts";
import { type Person, Roost } from "../support/roost.ts";
import "../support/seed.ts";

describe("reading a home timeline", () => {
  let roost: Roost;
  beforeAll(async () => {
    roost = await Roost.start({ shards: 3 });
  });
  afterAll(() => roost.stop());

  const write = async (who: Person, refers: { in_reply_to_tweet_id?: Id; quote_tweet_id?: Id } = {}) =>
    (await roost.call("tweet.create", { text: "hello", ...refers }, who)).id;
  const retweet = async (who: Person, id: Id) =>
    (await roost.call("tweet.retweet", { tweet_id: id }, who)).id;
  const relate = (
    kind: "follow" | "unfollow" | "block" | "unblock" | "mute" | "unmute",
    who: Person,
    whom: Person,
  ) => roost.call(`graph.${kind}`, { target_user_id: whom.id }, who);
  /** What shows, which must be what the tables say. */
  const shown = async (viewer: Person): Promise<Id[]> => {
    await roost.settle();
    const ids = await roost.homeIds(viewer, 7);
    expect(ids).toEqual(await roost.oracle.homeOf(viewer.id));
    return ids;
  };

  it("neither skips nor repeats what was there while 1,000 tweets arrive", async () => {
    const [me, ...authors] = (await roost.people(5)) as [Person, ...Person[]];
    for (const author of authors) await relate("follow", me, author);
    const inTurns = (count: number) => Array.from({ length: count }, (_, i) => authors[i % 4] as Person);
    await scatter(inTurns(200), 8, (author) => write(author));
    await roost.settle();
    const there = await roost.homeIds(me);
    expect(there).toHaveLength(200);

    let arriving = true;
    const arrivals = scatter(inTurns(1_000), 4, (author) => write(author)).then(() => {
      arriving = false;
    });
    let readings = 0;
    for (; arriving || readings === 0; readings++) {
      const limit = 3 + (readings % 20);
      const first = await roost.call("timeline.home", { user_id: me.id, limit }, me);
      const pages = [first.tweets.map(({ id }) => id)];
      for (let cursor = first.next_cursor; cursor; ) {
        const page = await roost.call("timeline.home", { user_id: me.id, limit, cursor }, me);
        pages.push(page.tweets.map(({ id }) => id));
        cursor = page.next_cursor;
      }
      const ids = pages.flat();
      expect(ids).toEqual([...new Set(ids)].sort().reverse());
      expect(ids.filter((id) => there.includes(id))).toEqual(there);
    }
    await arrivals;
    expect(await shown(me)).toHaveLength(1_200);
  });

  it("keeps to ids, times and kinds, however they are combined", async () => {
    const [me, ann, ben] = (await roost.people(3)) as [Person, Person, Person];
    for (const author of [ann, ben]) await relate("follow", me, author);
    for (let i = 0; i < 8; i++) {
      const id = await write(ann);
      await write(ben, { in_reply_to_tweet_id: id });
      await retweet(ben, id);
      await write(ann, { quote_tweet_id: id });
    }
    await roost.settle();
    const all = await roost.home(me);
    expect(all).toHaveLength(32);

    const some = fc.constantFrom(...all);
    const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 2 });
    const filters = fc.record({
      since_id: optional(some.map(({ id }) => id)),
      until_id: optional(some.map(({ id }) => id)),
      start_time: optional(some.map(({ created_at }) => created_at)),
      end_time: optional(some.map(({ created_at }) => created_at)),
      exclude: fc.subarray(["replies", "retweets"] as const),
      limit: fc.integer({ min: 1, max: 40 }),
    });
    await fc.assert(
      fc.asyncProperty(filters, async (filter) => {
        const query: TimelineQuery = { user_id: me.id, ...filter };
        const wanted = all.filter((tweet) => passes(tweet, filter)).map(({ id }) => id);
        const found: Id[] = [];
        let cursor: string | undefined;
        do {
          const page = await roost.call("timeline.home", { ...query, cursor }, me);
          found.push(...page.tweets.map(({ id }) => id));
          cursor = page.next_cursor;
        } while (cursor);
        expect(found).toEqual(wanted);
      }),
      { numRuns: 60 },
    );
  });

  it("shows a reply where both are followed or the viewer is one of the two", async () => {
    const [me, ann, ben] = (await roost.people(3)) as [Person, Person, Person];
    await relate("follow", me, ann);
    const [mine, bens] = [await write(me), await write(ben)];
    const toMe = await write(ann, { in_reply_to_tweet_id: mine });
    const toBen = await write(ann, { in_reply_to_tweet_id: bens });
    const byBen = await write(ben, { in_reply_to_tweet_id: mine });
    const own = await write(me, { in_reply_to_tweet_id: bens });
    expect(await shown(me)).toEqual([own, toMe, mine]);
    await relate("follow", me, ben);
    expect(await shown(me)).toEqual([own, byBen, toBen, toMe, bens, mine]);
    await relate("unfollow", me, ben);
    expect(await shown(me)).toEqual([own, toMe, mine]);
  });

  it("shows a retweet as an entry of its own, until its author or the original's is hidden, or it is gone", async () => {
    const [me, ann, ben] = (await roost.people(3)) as [Person, Person, Person];
    await relate("follow", me, ann);
    const id = await write(ben);
    const entry = await retweet(ann, id);
    await roost.settle();
    const [first] = await roost.home(me);
    expect(first?.id).toBe(entry);
    expect(first && referenceOf(first, "retweeted")).toEqual({ type: "retweeted", id, author_id: ben.id });
    for (const [hide, show, who, whom] of [
      ["mute", "unmute", me, ben],
      ["block", "unblock", me, ben],
      ["block", "unblock", ben, me],
      ["mute", "unmute", me, ann],
    ] as const) {
      await relate(hide, who, whom);
      expect(await roost.homeIds(me)).toEqual([]);
      await relate(show, who, whom);
      expect(await shown(me)).toEqual([entry]);
    }
    await roost.call("tweet.delete", { id }, ben);
    expect(await roost.homeIds(me)).toEqual([]);
    expect(await shown(me)).toEqual([]);
  });

  it("shows one's own tweet, reply and retweet when the call returns", async () => {
    const [me, ann] = (await roost.people(2)) as [Person, Person];
    const other = await write(ann);
    await roost.home(me);
    for (const act of [
      () => write(me),
      () => write(me, { in_reply_to_tweet_id: other }),
      () => retweet(me, other),
    ]) {
      const id = await act();
      expect((await roost.homeIds(me))[0]).toBe(id);
    }
  });

  it("has a followee's tweets at the next read, and none of them after an unfollow", async () => {
    const [me, ann, ben] = (await roost.people(3)) as [Person, Person, Person];
    const ids = [await write(ann), await write(ann, { quote_tweet_id: await write(ben) })].reverse();
    expect(await roost.homeIds(me)).toEqual([]);
    for (let i = 0; i < 5; i++) {
      await relate("follow", me, ann);
      expect(await roost.homeIds(me)).toEqual(ids);
      await relate("unfollow", me, ann);
      expect(await roost.homeIds(me)).toEqual([]);
    }
  });

  it("is full although most candidates are hidden, in Postgres as in Redis", async () => {
    const withoutRedis = await roost.addNode({ REDIS_URL: "" });
    const [me, ann, ben] = (await roost.people(3)) as [Person, Person, Person];
    await relate("follow", me, ann);
    const [bens, mine] = [await write(ben), await write(me)];
    const replies: Id[] = [];
    for (let i = 0; i < 6; i++) {
      for (let j = 0; j < 30; j++) await write(ann, { in_reply_to_tweet_id: bens });
      replies.unshift(await write(ann, { in_reply_to_tweet_id: mine }));
    }
    await roost.settle();
    const query = { user_id: me.id, limit: 4 };
    for (const broker of [roost.broker, withoutRedis.broker]) {
      const meta = { viewer: { userId: me.id, sessionId: "" } };
      // Broker.call is untyped upstream.
      const page = (await broker.call("timeline.home", query, { meta })) as {
        tweets: Tweet[];
        next_cursor?: string;
      };
      expect(page.tweets.map(({ id }) => id)).toEqual(replies.slice(0, 4));
      const rest = (await broker.call("timeline.home", { ...query, cursor: page.next_cursor }, { meta })) as {
        tweets: Tweet[];
      };
      expect(rest.tweets.map(({ id }) => id)).toEqual([...replies.slice(4), mine]);
    }
  });

  it("leaves nothing for an audit to find", async () => {
    await roost.settle();
    expect(await roost.audit()).toEqual([]);
  });
});

/** What the filters of a query mean, as the X API's documentation has it. */
function passes(tweet: Tweet, filter: Partial<TimelineQuery>): boolean {
  const { since_id, until_id, start_time, end_time, exclude = [] } = filter;
  const isReply = tweet.referenced_tweets?.some(({ type }) => type === "replied_to");
  const isRetweet = tweet.referenced_tweets?.some(({ type }) => type === "retweeted");
  if (exclude.includes("replies") && isReply) return false;
  if (exclude.includes("retweets") && isRetweet) return false;
  if (since_id ? tweet.id <= since_id : start_time && tweet.created_at < start_time) return false;
  return !(until_id ? tweet.id >= until_id : end_time && tweet.created_at >= end_time);
}
