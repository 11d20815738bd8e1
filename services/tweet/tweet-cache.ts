import { LRUCache } from "lru-cache";
import { limits } from "../../config/limits.ts";
import type { RedisStore } from "../../mixins/redis/index.ts";
import { ignoreDown, put, putAll, readThrough } from "../../mixins/redis/leased.ts";
import { Script } from "../../mixins/redis/script.ts";
import type { ShardDb } from "../../mixins/shard-db/index.ts";
import type { PublicTweet, Tweet } from "../contracts/tweets.ts";
import type { Id } from "../contracts/users.ts";
import { edgeKinds } from "../graph/edge-kinds.ts";
import { existsIn, idsAndOriginals } from "./references.ts";
import { existingIds, toTweet, tweetCounts, tweetsByIds } from "./tweet.repo.ts";

const PUBLISH = new Script(new URL("./lua/publish-tweet-n.lua", import.meta.url));
/** Longer than any transaction takes: if the process dies before the commit, the tweet shows again after it. */
export const MEANWHILE_MS = 60_000;
export const ALIVE = "1";
export const DELETED = "0";
/** In the place of the body of a tweet that was deleted: nobody asks Postgres for it, nor puts it back. */
const ERASED = "";

/**
 * Tweets for whoever shows them. Bodies are immutable and come from the process's memory, then Redis, then Postgres;
 * whether a tweet still exists is asked of Redis each time (leased entries), or of Postgres.
 */
export class TweetCache {
  readonly #db: ShardDb;
  readonly #redis: RedisStore | undefined;
  readonly #bodies = new LRUCache<Id, Tweet>({ max: 50_000 });

  constructor(db: ShardDb, redis: RedisStore | undefined) {
    this.#db = db;
    this.#redis = redis;
  }

  /** The tweets that exist among `ids`; a retweet only as long as its original does. Throws 503 where they can be had nowhere. */
  async get(ids: readonly Id[]): Promise<Map<Id, Tweet>> {
    const bodies = await this.bodies(ids);
    const alive = await this.alive(idsAndOriginals([...bodies.values()]));
    for (const [id, tweet] of bodies) if (!existsIn(alive, tweet)) bodies.delete(id);
    return bodies;
  }

  /** The same in the order asked for, with public_metrics where they are wanted. */
  async show(ids: readonly Id[], options: { withMetrics?: boolean } = {}): Promise<PublicTweet[]> {
    const found = await this.get(ids);
    const tweets = ids.flatMap((id) => found.get(id) ?? []);
    return options.withMetrics ? this.count(tweets) : tweets;
  }

  /** Adds public_metrics as they are now. */
  async count(tweets: readonly Tweet[]): Promise<PublicTweet[]> {
    const ids = tweets.map(({ id }) => id);
    const counts = new Map(
      (await tweetCounts(this.#db, ids)).map(({ id, name, count }) => [`${id} ${name}`, Number(count)]),
    );
    const of = (id: Id, name: string) => counts.get(`${id} ${name}`) ?? 0;
    return tweets.map((tweet) => ({
      ...tweet,
      public_metrics: {
        retweet_count: of(tweet.id, edgeKinds.retweet.in),
        reply_count: of(tweet.id, edgeKinds.reply.in),
        like_count: of(tweet.id, edgeKinds.like.in),
        quote_count: of(tweet.id, edgeKinds.quote.in),
        bookmark_count: of(tweet.id, edgeKinds.bookmark.in),
        impression_count: 0,
      },
    }));
  }

  /** Bodies, of deleted tweets possibly too. */
  async bodies(ids: readonly Id[]): Promise<Map<Id, Tweet>> {
    const found = new Map<Id, Tweet>();
    const missing: Id[] = [];
    for (const id of ids) {
      const body = this.#bodies.get(id);
      if (body) found.set(id, body);
      else missing.push(id);
    }
    if (missing.length > 0)
      for (const tweet of await this.#load(missing)) found.set(tweet.id, this.remember(tweet));
    return found;
  }

  /** Which of `ids` exist now. */
  async alive(ids: readonly Id[]): Promise<Set<Id>> {
    const redis = this.#redis;
    const states = await readThrough(redis, ids, {
      keyOf: (id) => redis?.keys.tweetState(id) ?? "",
      ttlMs: redis?.maxAgeMs ?? 0,
      load: async (missing) => new Map((await existingIds(this.#db, missing)).map(({ id }) => [id, ALIVE])),
      absent: DELETED,
      areUnknown: () => this.#db.isLacking,
    });
    return new Set([...states].flatMap(([id, state]) => (state === ALIVE ? id : [])));
  }

  /** Keeps a body in this process. */
  remember(tweet: Tweet): Tweet {
    this.#bodies.set(tweet.id, tweet);
    return tweet;
  }

  /**
   * Makes a committed tweet known: its body, its author's own list and, where it was made just now, that it exists. Safe
   * to repeat: one that was known before may be deleted by now, and its tombstone lost. Throws RedisDown.
   */
  async publish(tweet: Tweet, age: "new" | "known"): Promise<void> {
    const redis = this.#redis;
    this.remember(tweet);
    if (!redis) return;
    const { keys } = redis;
    const { keep, slack } = limits.homeList;
    const kinds = new Map([
      [keys.tweetBody(tweet.id), "body"],
      [keys.author(tweet.author_id), "list"],
    ]);
    if (age === "new") kinds.set(keys.tweetState(tweet.id), "state");
    const args = [tweet.id, JSON.stringify(tweet), redis.maxAgeMs, keep, slack];
    await redis.durably(() =>
      redis.runEach(PUBLISH, [...kinds.keys()], (some) => [
        ...args,
        ...some.map((key) => kinds.get(key) ?? ""),
      ]),
    );
  }

  /** Hides a tweet from every reader while its delete is being committed. Throws RedisDown. */
  async hideMeanwhile(id: Id): Promise<void> {
    const redis = this.#redis;
    if (redis) await put(redis, redis.keys.tweetState(id), DELETED, MEANWHILE_MS);
  }

  /** Hides tweets for good, and forgets their bodies. Throws RedisDown. */
  async hide(ids: readonly Id[]): Promise<void> {
    for (const id of ids) this.#bodies.delete(id);
    const redis = this.#redis;
    if (!redis) return;
    const { keys } = redis;
    const ttlMs = goodMs(redis);
    const states = ids.map((id) => keys.tweetState(id));
    await putAll(redis, states, DELETED, ttlMs);
    const erased = ids.map((id): [string, string] => [keys.tweetBody(id), ERASED]);
    await redis.durably(() => redis.setAll(erased, ttlMs));
  }

  /** Takes back a `hideMeanwhile` whose delete was not committed: the next reader asks Postgres. Throws RedisDown. */
  async unhide(id: Id): Promise<void> {
    await this.#redis?.delete([this.#redis.keys.tweetState(id)]);
  }

  async #load(ids: Id[]): Promise<Tweet[]> {
    const redis = this.#redis;
    const stored = redis
      ? await redis.mget(ids.map((id) => redis.keys.tweetBody(id))).catch(ignoreDown)
      : undefined;
    const cached = (stored ?? []).flatMap((json): Tweet[] => (json ? [JSON.parse(json)] : []));
    const loaded = await this.#loadFromDb(ids.filter((_, i) => typeof stored?.[i] !== "string"));
    if (redis && loaded.length > 0) {
      await redis
        .addAll(
          loaded.map((tweet) => [redis.keys.tweetBody(tweet.id), JSON.stringify(tweet)]),
          redis.maxAgeMs,
        )
        .catch(ignoreDown);
    }
    return [...cached, ...loaded];
  }

  /** Bodies never change, so a replica may answer; what it does not have yet is asked of the primary. */
  async #loadFromDb(ids: Id[]): Promise<Tweet[]> {
    if (ids.length === 0) return [];
    const rows = await tweetsByIds(this.#db, ids, { from: "anyone", partial: true });
    const known = new Set(rows.map(({ id }) => id));
    const late = ids.filter((id) => !known.has(id));
    const rest =
      late.length > 0 && this.#db.hasReplicas ? await tweetsByIds(this.#db, late, { partial: true }) : [];
    return [...rows, ...rest].map(toTweet);
  }
}

/** Longer than any job takes that has read a tweet before it was deleted. */
function goodMs({ maxAgeMs }: RedisStore): number {
  return Math.max(maxAgeMs, MEANWHILE_MS);
}
