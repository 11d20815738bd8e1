import type { EngagementKind } from "../../services/contracts/edges.ts";
import type { TweetMetrics } from "../../services/contracts/tweets.ts";
import type { Id } from "../../services/contracts/users.ts";
import { type Person, Roost } from "../support/roost.ts";

describe("what users do with tweets, on any shards", () => {
  let roost: Roost;
  beforeAll(async () => {
    roost = await Roost.start({ shards: 3 });
  });
  afterAll(() => roost.stop());

  const three = async () => (await roost.people(3)) as [Person, Person, Person];
  const write = (
    who: Person,
    text: string,
    refers: { in_reply_to_tweet_id?: Id; quote_tweet_id?: Id } = {},
  ) => roost.call("tweet.create", { text, ...refers }, who);
  const get = async (...ids: Id[]) => {
    const [reader] = (await roost.people(1)) as [Person];
    return (await roost.call("tweet.get", { ids, with_tweet_metrics: true }, reader)).tweets;
  };
  const metrics = async (id: Id): Promise<Partial<TweetMetrics>> => {
    const tweets = await get(id);
    const counts = Object.entries(tweets[0]?.public_metrics ?? {});
    return Object.fromEntries(counts.filter(([, count]) => count !== 0));
  };
  const engage = { like: "graph.like", bookmark: "graph.bookmark", retweet: "tweet.retweet" } as const;
  const undo = { like: "graph.unlike", bookmark: "graph.unbookmark", retweet: "tweet.unretweet" } as const;

  it.each<[EngagementKind, keyof TweetMetrics]>([
    ["like", "like_count"],
    ["bookmark", "bookmark_count"],
    ["retweet", "retweet_count"],
  ])("a %s counts once, however often it is asked for, and can be undone", async (kind, metric) => {
    const [author, ann, ben] = await three();
    const { id } = await write(author, "hello");
    for (const who of [ann, ann, ben]) await roost.call(engage[kind], { tweet_id: id }, who);
    expect(await metrics(id)).toEqual({ [metric]: 2 });
    for (let i = 0; i < 2; i++) await roost.call(undo[kind], { tweet_id: id }, ann);
    expect(await metrics(id)).toEqual({ [metric]: 1 });
    await roost.call(engage[kind], { tweet_id: id }, ann);
    expect(await metrics(id)).toEqual({ [metric]: 2 });
  });

  it("replies and quotes count where they point, until they are deleted", async () => {
    const [author, ann, ben] = await three();
    const { id } = await write(author, "hello");
    const reply = await write(ann, "hi", { in_reply_to_tweet_id: id });
    const both = await write(ben, "see", { in_reply_to_tweet_id: reply.id, quote_tweet_id: id });
    expect(await metrics(id)).toEqual({ reply_count: 1, quote_count: 1 });
    expect(await metrics(reply.id)).toEqual({ reply_count: 1 });
    expect(reply).toMatchObject({
      conversation_id: id,
      referenced_tweets: [{ type: "replied_to", id, author_id: author.id }],
    });
    expect(both.conversation_id).toBe(id);
    const about = (kind: "reply" | "quote") =>
      roost.call("tweet.about", { tweet_id: id, kind, limit: 10 }, ann);
    expect((await about("reply")).tweets.map((tweet) => tweet.id)).toEqual([reply.id]);
    expect((await about("quote")).tweets.map((tweet) => tweet.id)).toEqual([both.id]);
    await roost.call("tweet.delete", { id: both.id }, ben);
    expect(await metrics(id)).toEqual({ reply_count: 1 });
    expect((await about("quote")).tweets).toEqual([]);
  });

  it("a retweet is a tweet of its own, once per user, that stands for its original", async () => {
    const [author, ann, ben] = await three();
    const { id } = await write(author, "x".repeat(200));
    const first = await roost.call("tweet.retweet", { tweet_id: id }, ann);
    expect(await roost.call("tweet.retweet", { tweet_id: id }, ann)).toEqual(first);
    const [retweet] = await get(first.id);
    expect(retweet?.referenced_tweets).toEqual([{ type: "retweeted", id, author_id: author.id }]);
    expect(retweet?.text).toMatch(new RegExp(`^RT @${author.username}: x+…$`));
    // Whatever is done with the retweet is done with the original.
    await roost.call("graph.like", { tweet_id: first.id }, ben);
    const second = await roost.call("tweet.retweet", { tweet_id: first.id }, ben);
    expect(await metrics(id)).toEqual({ like_count: 1, retweet_count: 2 });
    const engaged = (kind: "like" | "retweet") =>
      roost.call("graph.engaged", { tweet_id: id, kind, limit: 10 }, ann);
    expect((await engaged("retweet")).users.map((user) => user.id)).toEqual([ben.id, ann.id]);
    expect((await engaged("like")).users.map((user) => user.id)).toEqual([ben.id]);
    await roost.call("tweet.unretweet", { tweet_id: id }, ann);
    await roost.call("tweet.delete", { id: second.id }, ben);
    expect(await metrics(id)).toEqual({ like_count: 1 });
    expect(await get(first.id, second.id)).toEqual([]);
  });

  it("a retweet may be made and undone at the same moment", async () => {
    const [author, ann] = await three();
    const { id } = await write(author, "hello");
    for (let round = 0; round < 20; round++) {
      await Promise.all([
        roost.call("tweet.retweet", { tweet_id: id }, ann),
        roost.call("tweet.unretweet", { tweet_id: id }, ann),
        roost.call("tweet.retweet", { tweet_id: id }, ann),
      ]);
    }
    await roost.call("tweet.unretweet", { tweet_id: id }, ann);
    expect(await metrics(id)).toEqual({});
  });

  it("a retweet goes with its original", async () => {
    const [author, ann] = await three();
    const { id } = await write(author, "hello");
    const retweet = await roost.call("tweet.retweet", { tweet_id: id }, ann);
    await roost.call("tweet.delete", { id }, author);
    expect(await get(retweet.id)).toEqual([]);
    expect((await roost.call("timeline.user", { user_id: ann.id, limit: 10 }, author)).tweets).toEqual([]);
    // The edge is still its owner's, to take back.
    expect(await roost.call("tweet.unretweet", { tweet_id: id }, ann)).toEqual({ retweeted: false });
  });

  it("liked tweets are listed for anyone, bookmarks for their owner only", async () => {
    const [author, ann, ben] = await three();
    const ids = [];
    for (const text of ["one", "two", "three"]) ids.unshift((await write(author, text)).id);
    for (const id of [...ids].reverse()) {
      await roost.call("graph.like", { tweet_id: id }, ann);
      await roost.call("graph.bookmark", { tweet_id: id }, ann);
    }
    const list = (kind: "like" | "bookmark", as: Person, cursor?: string) =>
      roost.call("graph.engagements", { user_id: ann.id, kind, limit: 2, cursor }, as);
    const page = await list("like", ben);
    expect(page.tweets.map(({ id }) => id)).toEqual(ids.slice(0, 2));
    expect((await list("like", ben, page.next_cursor)).tweets.map(({ id }) => id)).toEqual(ids.slice(2));
    expect((await list("bookmark", ann)).tweets.map(({ id }) => id)).toEqual(ids.slice(0, 2));
    await expect(list("bookmark", ben)).rejects.toThrow("signed-in user");
  });

  it("is refused across a block, in either direction, and for what is not there", async () => {
    const [author, ann, ben] = await three();
    const { id } = await write(author, "hello");
    await roost.call("graph.block", { target_user_id: ann.id }, author);
    await roost.call("graph.block", { target_user_id: author.id }, ben);
    for (const who of [ann, ben]) {
      for (const kind of ["like", "bookmark", "retweet"] as const)
        await expect(roost.call(engage[kind], { tweet_id: id }, who)).rejects.toThrow("block");
      await expect(write(who, "hi", { in_reply_to_tweet_id: id })).rejects.toThrow("block");
      await expect(write(who, "hi", { quote_tweet_id: id })).rejects.toThrow("block");
    }
    expect(await metrics(id)).toEqual({});
    await roost.call("tweet.delete", { id }, author);
    await expect(roost.call("graph.like", { tweet_id: id }, author)).rejects.toThrow("tweet_id");
    await expect(write(author, "hi", { in_reply_to_tweet_id: id })).rejects.toThrow("in_reply_to_tweet_id");
  });

  it("a mention is an edge of the tweet to each account that exists", async () => {
    const [author, ann, ben] = await three();
    const tweet = await write(author, `@${ann.username} @${ben.username} @${ann.username} @nobody_at_all`);
    const mirrors = await roost.oracle.rows<{ dst: Id }>(
      "SELECT dst::text FROM inverse_edges WHERE kind = 'mention' AND src = $1",
      [tweet.id],
    );
    expect(mirrors.map(({ dst }) => dst).sort()).toEqual([ann.id, ben.id].sort());
  });

  it("mentions are listed newest first, without authors who are hidden and tweets that are gone", async () => {
    const [author, ann, ben] = await three();
    const ids = [];
    for (const who of [author, ben, author, ben, author])
      ids.unshift((await write(who, `hello @${ann.username}`)).id);
    const pages = async () => {
      const found: Id[] = [];
      let cursor: string | undefined;
      do {
        const page = await roost.call("timeline.mentions", { user_id: ann.id, limit: 2, cursor }, ann);
        found.push(...page.tweets.map(({ id }) => id));
        cursor = page.next_cursor;
      } while (cursor);
      return found;
    };
    expect(await pages()).toEqual(ids);
    const query = { user_id: ann.id, limit: 5, since_id: ids[4], until_id: ids[1] };
    const between = await roost.call("timeline.mentions", query, ann);
    expect(between.tweets.map(({ id }) => id)).toEqual([ids[2], ids[3]]);
    await roost.call("graph.mute", { target_user_id: ben.id }, ann);
    await roost.call("tweet.delete", { id: ids[0] ?? "" }, author);
    expect(await pages()).toEqual([ids[2], ids[4]]);
  });

  it("leaves nothing for an audit to find", async () => {
    await roost.settle();
    expect(await roost.audit()).toEqual([]);
  });
});
