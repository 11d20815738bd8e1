import type { PublicTweet } from "../../contracts/tweets.ts";
import { referenceOf } from "../../tweet/references.ts";
import { presentEntities } from "./entities.ts";
import { TWEET_FIELDS } from "./names.ts";
import type { TweetJson } from "./objects.ts";
import { type Showing, selection, shownBy } from "./selection.ts";

/** What each field of a tweet shows. */
const SHOW: Showing<PublicTweet, Omit<TweetJson, "id" | "text" | "edit_history_tweet_ids">> = {
  author_id: (tweet) => tweet.author_id,
  conversation_id: (tweet) => tweet.conversation_id,
  created_at: (tweet) => tweet.created_at,
  display_text_range: ({ text }) => [0, codePoints(text)],
  // Tweets are not edited.
  edit_controls: (tweet) => ({
    is_edit_eligible: false,
    edits_remaining: 0,
    editable_until: tweet.created_at,
  }),
  entities: ({ entities }) => entities && presentEntities(entities),
  in_reply_to_user_id: (tweet) => referenceOf(tweet, "replied_to")?.author_id,
  lang: (tweet) => tweet.lang,
  // Nothing marks URLs as sensitive.
  possibly_sensitive: () => false,
  public_metrics: (tweet) => tweet.public_metrics,
  referenced_tweets: (tweet) => tweet.referenced_tweets?.map(({ type, id }) => ({ type, id })),
  reply_settings: (tweet) => tweet.reply_settings ?? "everyone",
};
const show = shownBy(SHOW);
export type TweetKey = keyof typeof SHOW;

/** Which fields of a tweet go out, beside `id`, `text` and `edit_history_tweet_ids`, which always do. */
export interface TweetSelection {
  keys: readonly TweetKey[];
}

export const tweetFields = selection<TweetSelection>(TWEET_FIELDS, (names) => ({
  keys: show.keysAmong(names),
}));

/** A tweet with the selected fields and those that an expansion adds; what has no value is absent. */
export function presentTweet(
  tweet: PublicTweet,
  selected: TweetSelection,
  expanded: readonly TweetKey[] = [],
): TweetJson {
  const { id, text } = tweet;
  // Each is its own history.
  const json: TweetJson = { id, text, edit_history_tweet_ids: [id] };
  show.into(json, tweet, selected.keys);
  show.into(json, tweet, expanded);
  return json;
}

function codePoints(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}
