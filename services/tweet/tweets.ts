import { retrySoon } from "../../mixins/outbox.repo.ts";
import type { RedisStore } from "../../mixins/redis/index.ts";
import { ignoreDown } from "../../mixins/redis/leased.ts";
import type { ShardDb } from "../../mixins/shard-db/index.ts";
import type { Id, ParamsOf, ResultOf, Tweet } from "../contracts/actions.ts";
import { type Ctx, requireViewer } from "../contracts/context.ts";
import { RoostError } from "../contracts/errors.ts";
import { UserReader } from "../user/user-reader.ts";
import { extractEntities, requireTweetText, withMentionIds } from "./entities.ts";
import { authorOf, deleteTweet, insertTweet } from "./tweet.repo.ts";
import { TweetCache } from "./tweet-cache.ts";

/** What the tweet service's actions do. `nudge` tells the drains that a shard's outbox has a tweet job. */
export class Tweets {
  readonly #db: ShardDb;
  readonly #cache: TweetCache;
  readonly #users: UserReader;
  readonly #nudge: (shard: string) => void;

  constructor(db: ShardDb, redis: RedisStore | undefined, nudge: (shard: string) => void) {
    this.#db = db;
    this.#cache = new TweetCache(db, redis);
    this.#users = new UserReader({ db, redis });
    this.#nudge = nudge;
  }

  /** Commits first, shows after: the author's own list has the tweet when this returns, the followers' soon after. */
  async create(ctx: Ctx<ParamsOf<"tweet.create">>): Promise<Tweet> {
    const { userId: author_id } = requireViewer(ctx);
    const { text, idempotency_key } = ctx.params;
    requireTweetText(text);
    const entities = await this.#entities(ctx, text);
    const { tweet, job } = await insertTweet(this.#db, { author_id, text, entities, idempotency_key });
    await this.#settle(job, () => this.#cache.publish(tweet));
    return tweet;
  }

  /** Hides first, commits after: no reader sees the tweet once this returns, whatever fan-out is under way. */
  async delete(ctx: Ctx<ParamsOf<"tweet.delete">>): Promise<{ deleted: boolean }> {
    const { userId } = requireViewer(ctx);
    const { id } = ctx.params;
    const author = await authorOf(this.#db, id);
    if (!author) throw notFound(id);
    if (author !== userId) {
      throw new RoostError("FORBIDDEN", "You may delete your own tweets only.", {
        errors: [{ message: "is not a tweet of yours", parameters: { id: [id] } }],
      });
    }
    await this.#cache.hide(id, "meanwhile").catch(ignoreDown);
    let job: Id | undefined;
    try {
      job = await deleteTweet(this.#db, id, author);
    } catch (error) {
      await this.#cache.unhide(id).catch(ignoreDown);
      throw error;
    }
    await this.#settle(job, () => this.#cache.hide(id));
    return { deleted: true };
  }

  async get({ ids, with_authors, with_metrics }: ParamsOf<"tweet.get">): Promise<ResultOf<"tweet.get">> {
    const found = await this.#cache.get(ids);
    const tweets = ids.flatMap((id) => found.get(id) ?? []);
    if (!with_authors) return { tweets, users: [] };
    const users = await this.#users.get(
      tweets.map((tweet) => tweet.author_id),
      { withMetrics: with_metrics },
    );
    return { tweets, users: [...users.values()] };
  }

  /** Brings about at once what a reader of the own list must see; the job does the rest, or all where Redis is away. */
  async #settle(job: Id | undefined, effect: () => Promise<void>): Promise<void> {
    try {
      await effect();
    } catch (error) {
      ignoreDown(error);
      if (job) await retrySoon(this.#db, [job], error);
    }
    if (job) this.#nudge(this.#db.shardOf({ id: job }));
  }

  async #entities(ctx: Ctx, text: string) {
    const entities = extractEntities(text);
    if (!entities.mentions) return entities;
    const usernames = [...new Set(entities.mentions.map(({ username }) => username.toLowerCase()))];
    return withMentionIds(entities, await ctx.call("user.resolve", { usernames }));
  }
}

function notFound(id: Id): RoostError {
  return new RoostError("NOT_FOUND", `Could not find tweet with id: [${id}].`, {
    errors: [{ message: "names no tweet", parameters: { id: [id] } }],
  });
}
