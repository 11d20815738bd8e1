import type { Included, Tweet, TweetExpansion, TweetExtras } from "../contracts/tweets.ts";
import type { Id } from "../contracts/users.ts";
import type { UserReader } from "../user/user-reader.ts";
import { referenceOf } from "./references.ts";
import type { TweetCache } from "./tweet-cache.ts";

/** Which of some authors a block stands between and a viewer, in either direction. */
export type BlockedAmong = (viewer: Id, authors: readonly Id[]) => Promise<Set<Id>>;

/** Brings along what tweets name, out of the caches that all services share: for whichever of them answers. */
export class Expander {
  readonly #tweets: TweetCache;
  readonly #users: UserReader;
  readonly #blockedAmong: BlockedAmong;

  constructor(tweets: TweetCache, users: UserReader, blockedAmong: BlockedAmong) {
    this.#tweets = tweets;
    this.#users = users;
    this.#blockedAmong = blockedAmong;
  }

  /** What is not there is left out. A referenced tweet behind a block with `viewer` is withheld. */
  async of(tweets: readonly Tweet[], extras: TweetExtras, viewer: Id | undefined): Promise<Included> {
    const expand = new Set(extras.expand);
    if (expand.size === 0) return { users: [] };
    const found = expandsTweets(expand) ? await this.#referenced(tweets, extras, viewer) : undefined;
    const named = usersNamedBy(tweets, found?.referenced ?? [], expand);
    return { users: [...(await this.#users.get(named, extras)).values()], ...found };
  }

  async #referenced(tweets: readonly Tweet[], extras: TweetExtras, viewer: Id | undefined) {
    const ids = new Set(
      tweets.flatMap(({ referenced_tweets = [] }) => referenced_tweets.map(({ id }) => id)),
    );
    const found = await this.#tweets.show([...ids], { withMetrics: extras.with_tweet_metrics });
    const authors = [...new Set(found.map(({ author_id }) => author_id))];
    const blocked = viewer && authors.length > 0 ? await this.#blockedAmong(viewer, authors) : new Set<Id>();
    return {
      referenced: found.filter(({ author_id }) => !blocked.has(author_id)),
      withheld: found.flatMap(({ id, author_id }) => (blocked.has(author_id) ? id : [])),
    };
  }
}

/** An author of a referenced tweet comes with that tweet, as in the X API. */
function expandsTweets(expand: ReadonlySet<TweetExpansion>): boolean {
  return expand.has("referenced_tweets.id") || expand.has("referenced_tweets.id.author_id");
}

/** The users that some tweets, and those that they refer to, name in the ways that are asked for. Pure. */
export function usersNamedBy(
  tweets: readonly Tweet[],
  referenced: readonly Tweet[],
  expand: ReadonlySet<TweetExpansion>,
): Id[] {
  const named = new Set<Id>();
  for (const tweet of tweets) {
    if (expand.has("author_id")) named.add(tweet.author_id);
    const parent = referenceOf(tweet, "replied_to");
    if (parent && expand.has("in_reply_to_user_id")) named.add(parent.author_id);
    if (!expand.has("entities.mentions.username")) continue;
    for (const { id } of tweet.entities?.mentions ?? []) if (id) named.add(id);
  }
  if (expand.has("referenced_tweets.id.author_id"))
    for (const { author_id } of referenced) named.add(author_id);
  return [...named];
}
