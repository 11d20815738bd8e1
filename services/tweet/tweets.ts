import { retrySoon } from "../../mixins/outbox.repo.ts";
import { ignoreDown } from "../../mixins/redis/leased.ts";
import type { Resources } from "../../mixins/resources.ts";
import type { ShardDb } from "../../mixins/shard-db/index.ts";
import type { ParamsOf, ResultOf } from "../contracts/actions.ts";
import { type Ctx, requireViewer } from "../contracts/context.ts";
import { RoostError } from "../contracts/errors.ts";
import type { PublicTweet, Tweet, TweetReference } from "../contracts/tweets.ts";
import type { Id } from "../contracts/users.ts";
import { blockBetween, blockedAmong, edgeStands } from "../graph/edges.repo.ts";
import type { Reconciler } from "../graph/reconciler.ts";
import { UserReader } from "../user/user-reader.ts";
import { extractEntities, requireTweetText, withMentionIds } from "./entities.ts";
import { Expander } from "./expansions.ts";
import { languageOf } from "./language.ts";
import { originalId, requireOriginal, unknownTweet } from "./originals.ts";
import { referenceOf, retweetText } from "./references.ts";
import { asksForFollow, mayReply } from "./reply-settings.ts";
import {
  type ChangedEdge,
  deleteTweet,
  insertRetweet,
  insertTweet,
  retweetOf,
  tweetNow,
} from "./tweet.repo.ts";
import { TweetCache } from "./tweet-cache.ts";

/** How often a retweet that another request undoes meanwhile is made anew. */
const RETWEET_TRIES = 5;

/** What else a change of a tweet needs. `nudge` tells the drains that a shard's outbox has a tweet job. */
export interface TweetEffects {
  reconciler: Reconciler;
  nudge: (shard: string) => void;
}

/** What the tweet service's actions do. */
export class Tweets {
  readonly #db: ShardDb;
  readonly #cache: TweetCache;
  readonly #users: UserReader;
  readonly #expander: Expander;
  readonly #reconciler: Reconciler;
  readonly #nudge: (shard: string) => void;

  constructor({ db, redis }: Pick<Resources, "db" | "redis">, { reconciler, nudge }: TweetEffects) {
    this.#db = db;
    this.#cache = new TweetCache(db, redis);
    this.#users = new UserReader({ db, redis });
    this.#expander = new Expander(this.#cache, this.#users, (viewer, authors) =>
      blockedAmong(db, viewer, authors),
    );
    this.#reconciler = reconciler;
    this.#nudge = nudge;
  }

  /** Commits first, shows after: the author's own list has the tweet when this returns, the followers' soon after. */
  async create(ctx: Ctx<ParamsOf<"tweet.create">>): Promise<Tweet> {
    const { userId: author_id } = requireViewer(ctx);
    const { text, idempotency_key, in_reply_to_tweet_id, quote_tweet_id, reply_settings } = ctx.params;
    requireTweetText(text);
    const [parent, quoted, entities] = await Promise.all([
      this.#refer(author_id, "in_reply_to_tweet_id", in_reply_to_tweet_id),
      this.#refer(author_id, "quote_tweet_id", quote_tweet_id),
      this.#entities(ctx, text),
    ]);
    if (parent) await this.#requireReplies(author_id, parent);
    const references = [...refersTo("replied_to", parent), ...refersTo("quoted", quoted)];
    const conversation_id = parent?.conversation_id;
    const made = await insertTweet(this.#db, {
      author_id,
      text,
      entities,
      references,
      conversation_id,
      lang: languageOf(text),
      reply_settings,
      idempotency_key,
    });
    await this.#settle(made, () => this.#cache.publish(made.tweet, made.job ? "new" : "known"));
    return made.tweet;
  }

  /** A tweet of its own that stands for another; the one there is, where there is one. */
  async retweet(ctx: Ctx<ParamsOf<"tweet.retweet">>): Promise<ResultOf<"tweet.retweet">> {
    const { userId: author_id } = requireViewer(ctx);
    const original = await this.#readable(author_id, "tweet_id", ctx.params.tweet_id);
    const author = (await this.#users.get([original.author_id])).get(original.author_id);
    const text = retweetText(author?.username ?? "", original.text);
    const known = author ? { [author.username.toLowerCase()]: author.id } : {};
    const entities = withMentionIds(extractEntities(text), known);
    for (let tries = 0; tries < RETWEET_TRIES; tries++) {
      const made = await insertRetweet(this.#db, { author_id, original, text, entities });
      if (made) {
        await this.#settle(made, () => this.#cache.publish(made.tweet, "new"));
        return { retweeted: true, id: made.tweet.id };
      }
      const id = await retweetOf(this.#db, author_id, original.id);
      if (id) return { retweeted: true, id };
      // Undone in this very moment: it is made anew.
    }
    throw new RoostError("CONFLICT", "This retweet is being undone at the same time: try again.");
  }

  /** Takes back the viewer's retweet of a tweet, if there is one; `tweet_id` may also be a retweet of it. */
  async unretweet(ctx: Ctx<ParamsOf<"tweet.unretweet">>): Promise<ResultOf<"tweet.unretweet">> {
    const { userId } = requireViewer(ctx);
    const id = await retweetOf(this.#db, userId, await originalId(this.#db, ctx.params.tweet_id));
    if (id) await this.#remove(id, userId);
    return { retweeted: false };
  }

  /** Hides first, commits after: no reader sees the tweet once this returns, whatever fan-out is under way. */
  async delete(ctx: Ctx<ParamsOf<"tweet.delete">>): Promise<{ deleted: boolean }> {
    const { userId } = requireViewer(ctx);
    const { id } = ctx.params;
    const tweet = await tweetNow(this.#db, id);
    if (!tweet) throw unknownTweet("id", id);
    if (tweet.author_id !== userId) {
      throw new RoostError("FORBIDDEN", "You may delete your own tweets only.", {
        errors: [{ message: "is not a tweet of yours", parameters: { id: [id] } }],
      });
    }
    await this.#remove(id, userId);
    return { deleted: true };
  }

  async get(
    { ids, unblocked, ...extras }: ParamsOf<"tweet.get">,
    viewer: Id | undefined,
  ): Promise<ResultOf<"tweet.get">> {
    const found = await this.#cache.show(ids, { withMetrics: extras.with_tweet_metrics });
    const tweets = unblocked && viewer && found.length > 0 ? await this.#unblocked(viewer, found) : found;
    return { tweets, ...(await this.#expander.of(tweets, extras, viewer)) };
  }

  async #unblocked(viewer: Id, tweets: PublicTweet[]): Promise<PublicTweet[]> {
    const authorsOf = (tweet: Tweet) => [
      tweet.author_id,
      referenceOf(tweet, "retweeted")?.author_id ?? tweet.author_id,
    ];
    const blocked = await blockedAmong(this.#db, viewer, [...new Set(tweets.flatMap(authorsOf))]);
    return tweets.filter((tweet) => !authorsOf(tweet).some((author) => blocked.has(author)));
  }

  async #remove(id: Id, author: Id): Promise<void> {
    await this.#cache.hideMeanwhile(id).catch(ignoreDown);
    let gone: Awaited<ReturnType<typeof deleteTweet>>;
    try {
      gone = await deleteTweet(this.#db, id, author);
    } catch (error) {
      await this.#cache.unhide(id).catch(ignoreDown);
      throw error;
    }
    await this.#settle(gone ?? { job: undefined, edges: [] }, () => this.#cache.hide([id]));
  }

  async #refer(author: Id, field: string, id: Id | undefined): Promise<Tweet | undefined> {
    return id === undefined ? undefined : this.#readable(author, field, id);
  }

  /** The tweet that an id stands for. Throws 404 where there is none, 403 where a block stands between. */
  async #readable(viewer: Id, field: string, id: Id): Promise<Tweet> {
    const tweet = await requireOriginal(this.#db, field, id);
    if (tweet.author_id !== viewer && (await blockBetween(this.#db, viewer, tweet.author_id))) {
      throw new RoostError("FORBIDDEN", "A block stands between you and the author of this tweet.");
    }
    return tweet;
  }

  /** Throws 403 where the author of a tweet, or of the one that began its conversation, does not let a user reply. */
  async #requireReplies(viewer: Id, parent: Tweet): Promise<void> {
    const { id, conversation_id } = parent;
    const root = conversation_id === id ? undefined : await tweetNow(this.#db, conversation_id);
    for (const tweet of root ? [root, parent] : [parent]) {
      const follows = { src: tweet.author_id, kind: "follow", dst: viewer } as const;
      const isFollowed = asksForFollow(tweet) && (await edgeStands(this.#db, follows));
      if (!mayReply(viewer, tweet, isFollowed)) {
        throw new RoostError("FORBIDDEN", "The author of this conversation does not let you reply to it.", {
          errors: [
            { message: "is a tweet you may not reply to", parameters: { in_reply_to_tweet_id: [id] } },
          ],
        });
      }
    }
  }

  /** Brings about at once what a reader of the own list must see; the jobs do the rest, or all where Redis is away. */
  async #settle(
    { job, edges }: { job: Id | undefined; edges: ChangedEdge[] },
    effect: () => Promise<void>,
  ): Promise<void> {
    try {
      await effect();
    } catch (error) {
      ignoreDown(error);
      if (job) await retrySoon(this.#db, [job], error);
    }
    if (job) this.#nudge(this.#db.shardOf({ id: job }));
    await Promise.all(edges.map((changed) => this.#reconciler.inline(changed.edge, [changed.job])));
  }

  async #entities(ctx: Ctx, text: string) {
    const entities = extractEntities(text);
    if (!entities.mentions) return entities;
    const usernames = [...new Set(entities.mentions.map(({ username }) => username.toLowerCase()))];
    return withMentionIds(entities, await ctx.call("user.resolve", { usernames }));
  }
}

function refersTo(type: TweetReference["type"], tweet: Tweet | undefined): TweetReference[] {
  return tweet ? [{ type, id: tweet.id, author_id: tweet.author_id }] : [];
}
