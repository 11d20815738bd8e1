import {
  type Included,
  type PublicTweet,
  TWEET_EXPANSIONS,
  type TweetExpansion,
  type TweetExtras,
} from "../../contracts/tweets.ts";
import { MEDIA_FIELDS, PLACE_FIELDS, POLL_FIELDS, TWEET_EXPANSION_NAMES } from "./names.ts";
import { ignored, selection } from "./selection.ts";
import { type TweetKey, type TweetSelection, tweetFields } from "./tweet-fields.ts";
import { type UserSelection, userExtrasOf, userFields } from "./users.ts";

/** What tweets name that comes along with them. */
export interface ExpandedTweets {
  expand: readonly TweetExpansion[];
  /** Whether each version of a tweet comes along: there is one. */
  history: boolean;
  /** The fields that show what is expanded. */
  keys: readonly TweetKey[];
}

const KEY_OF: Partial<Record<TweetExpansion, TweetKey>> = {
  author_id: "author_id",
  in_reply_to_user_id: "in_reply_to_user_id",
  "referenced_tweets.id": "referenced_tweets",
  "referenced_tweets.id.author_id": "referenced_tweets",
};

export const tweetExpansions = selection<ExpandedTweets>(TWEET_EXPANSION_NAMES, (names) => {
  const expand = TWEET_EXPANSIONS.filter((name) => names.has(name));
  const keys = new Set(expand.flatMap((name) => KEY_OF[name] ?? []));
  return { expand, history: names.has("edit_history_tweet_ids"), keys: [...keys] };
});

/** What the query of every request that answers tweets asks to see. */
export interface TweetView {
  "tweet.fields": TweetSelection;
  "user.fields": UserSelection;
  expansions: ExpandedTweets;
}

/** The query parameters of a TweetView. */
export const TWEET_VIEW = {
  "tweet.fields": tweetFields,
  "user.fields": userFields,
  expansions: tweetExpansions,
  "media.fields": ignored(MEDIA_FIELDS),
  "poll.fields": ignored(POLL_FIELDS),
  "place.fields": ignored(PLACE_FIELDS),
};

/** What has to be asked for beside tweets: only what is shown. */
export function extrasOf(view: TweetView): TweetExtras {
  const { expand } = view.expansions;
  return {
    ...(expand.length > 0 ? { expand, ...userExtrasOf(view["user.fields"]) } : {}),
    with_tweet_metrics: view["tweet.fields"].keys.includes("public_metrics"),
  };
}

/** Tweets, with what an expansion brings along. */
export type TweetsFound = Included & { tweets: readonly PublicTweet[] };
