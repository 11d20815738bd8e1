import { RedisStore } from "../../mixins/redis/index.ts";
import type { Script } from "../../mixins/redis/script.ts";
import { Fanout } from "../../services/timeline/fanout.ts";
import { TweetCache } from "../../services/tweet/tweet-cache.ts";
import { type Person, Roost } from "../support/roost.ts";
import { serverUrl } from "../support/servers.ts";

/** Holds up its scripts until the test lets them go. */
class SlowRedis extends RedisStore {
  readonly reached = Promise.withResolvers<void>();
  readonly released = Promise.withResolvers<void>();

  override async run(script: Script, keys: string[], args?: (string | number)[]): Promise<unknown> {
    this.reached.resolve();
    await this.released.promise;
    return super.run(script, keys, args);
  }
}

describe("a deleted tweet, whose tombstone Redis has lost", () => {
  let roost: Roost;
  beforeAll(async () => {
    roost = await Roost.start({ shards: 2 });
  });
  afterAll(() => roost.stop());

  const remove = async (id: string, author: Person) => {
    await roost.call("tweet.delete", { id }, author);
    await roost.settle();
    await roost.store.delete([roost.store.keys.tweetState(id)]);
  };
  const isGone = async (id: string, ...readers: Person[]) => {
    for (const reader of readers) {
      expect(await roost.homeIds(reader)).toEqual([]);
      expect((await roost.call("tweet.get", { ids: [id] }, reader)).tweets).toEqual([]);
    }
  };

  it("leaves no text in Redis, nor does a request that is sent again", async () => {
    const [author] = (await roost.people(1)) as [Person];
    const post = () => roost.call("tweet.create", { text: "hello", idempotency_key: "text" }, author);
    const { id } = await post();
    const body = () => roost.store.mget([roost.store.keys.tweetBody(id)]);
    expect((await body())[0]).toContain("hello");
    await remove(id, author);
    expect(await body()).toEqual([""]);
    await post();
    expect(await body()).toEqual([""]);
    await isGone(id, author);
  });

  it("is not brought back by a request that is sent again", async () => {
    const [author] = (await roost.people(1)) as [Person];
    const post = () => roost.call("tweet.create", { text: "hello", idempotency_key: "key" }, author);
    const { id } = await post();
    expect(await roost.homeIds(author)).toEqual([id]);
    await remove(id, author);
    expect((await post()).id).toBe(id);
    await isGone(id, author);
  });

  it("is not brought back by a publication that a failover has overtaken", async () => {
    const [author] = (await roost.people(1)) as [Person];
    const { id } = await roost.call("tweet.create", { text: "hello" }, author);
    const {
      tweets: [tweet],
    } = await roost.call("tweet.get", { ids: [id] }, author);
    await remove(id, author);
    const { db, redis } = roost.resources;
    // As a master that is gone has left it.
    await roost.store.setAll([[roost.store.keys.tweetState(id), "v-1:0"]], 60_000);
    const cache = new TweetCache(db, redis);
    if (tweet) await cache.publish(tweet, "new");
    expect(await cache.alive([id])).toEqual(new Set());
    await isGone(id, author);
  });

  it("is not brought back by a fan-out that had begun before", async () => {
    const [author, follower] = (await roost.people(2)) as [Person, Person];
    await roost.call("graph.follow", { target_user_id: author.id }, follower);
    const { id } = await roost.call("tweet.create", { text: "hello" }, author);
    await roost.settle();
    expect(await roost.homeIds(follower)).toEqual([id]);

    const prefix = roost.env.REDIS_PREFIX ?? "";
    const pushes = new SlowRedis(serverUrl("REDIS"), { prefix, maxAgeMs: 60_000 });
    await pushes.open();
    const { db, redis, metrics } = roost.resources;
    const fanout = new Fanout({
      db,
      redis,
      pushes,
      metrics,
      policy: "push",
      homeListMaxAgeMs: 60_000,
      page: 10,
    });
    const late = fanout.tweet({ id: "1", kind: "tweet", key: { id }, cursor: null, attempts: 1, lost: 0 });
    await pushes.reached.promise;
    await remove(id, author);
    pushes.released.resolve();
    await late;
    await isGone(id, author, follower);
    await pushes.close();
  });
});
