import type { PublicTweet, PublicUser, TweetExtras } from "../../contracts/actions.ts";
import { referenceOf } from "../../tweet/references.ts";
import type { TweetJson, UserJson } from "./objects.ts";
import { ignored, selection } from "./selection.ts";
import { pick, presentUser, type UserSelection, userFields } from "./users.ts";

type Key = Exclude<keyof TweetJson, "edit_history_tweet_ids">;

/** The X API's names; those without a value here are accepted and absent. */
const TWEET_FIELDS = [
  "article",
  "attachments",
  "author_id",
  "card_uri",
  "community_id",
  "context_annotations",
  "conversation_id",
  "created_at",
  "display_text_range",
  "edit_controls",
  "edit_history_tweet_ids",
  "entities",
  "geo",
  "id",
  "in_reply_to_user_id",
  "lang",
  "media_metadata",
  "non_public_metrics",
  "note_tweet",
  "organic_metrics",
  "possibly_sensitive",
  "promoted_metrics",
  "public_metrics",
  "referenced_tweets",
  "reply_settings",
  "scopes",
  "source",
  "suggested_source_links",
  "suggested_source_links_with_counts",
  "text",
  "withheld",
] as const;
const TWEET_EXPANSIONS = [
  "article.cover_media",
  "article.media_entities",
  "attachments.media_keys",
  "attachments.media_source_tweet",
  "attachments.poll_ids",
  "author_id",
  "edit_history_tweet_ids",
  "entities.mentions.username",
  "geo.place_id",
  "in_reply_to_user_id",
  "entities.note.mentions.username",
  "referenced_tweets.id",
  "referenced_tweets.id.attachments.media_keys",
  "referenced_tweets.id.author_id",
] as const;
const KEPT: Key[] = [
  "author_id",
  "conversation_id",
  "created_at",
  "entities",
  "lang",
  "public_metrics",
  "referenced_tweets",
  "in_reply_to_user_id",
];

/** Which fields of a tweet go out, beside `id`, `text` and `edit_history_tweet_ids`, which always do. */
export interface TweetSelection {
  keys: readonly Key[];
  metrics: boolean;
}

export const tweetFields = selection<TweetSelection>(TWEET_FIELDS, (names) => ({
  keys: KEPT.filter((key) => names.has(key)),
  metrics: names.has("public_metrics"),
}));
export const tweetExpansions = selection(TWEET_EXPANSIONS, (names) => ({ authors: names.has("author_id") }));
const mediaFields = ignored([
  "alt_text",
  "duration_ms",
  "height",
  "media_key",
  "non_public_metrics",
  "organic_metrics",
  "preview_image_url",
  "promoted_metrics",
  "public_metrics",
  "type",
  "url",
  "variants",
  "width",
]);
const pollFields = ignored(["duration_minutes", "end_datetime", "id", "options", "voting_status"]);
const placeFields = ignored([
  "contained_within",
  "country",
  "country_code",
  "full_name",
  "geo",
  "id",
  "name",
  "place_type",
]);

/** What the query of every request that answers tweets asks to see. */
export interface TweetView {
  "tweet.fields": TweetSelection;
  "user.fields": UserSelection;
  expansions: { authors: boolean };
}

/** The query parameters of a TweetView. */
export const TWEET_VIEW = {
  "tweet.fields": tweetFields,
  "user.fields": userFields,
  expansions: tweetExpansions,
  "media.fields": mediaFields,
  "poll.fields": pollFields,
  "place.fields": placeFields,
};

/** Authors are asked for only where an expansion shows them, metrics only where a field does. */
export function extrasOf(view: TweetView): TweetExtras {
  const { authors } = view.expansions;
  return {
    with_authors: authors,
    with_metrics: authors && view["user.fields"].metrics,
    with_tweet_metrics: view["tweet.fields"].metrics,
  };
}

/** A tweet with the selected fields. An expansion of the author shows the author's id, as in the X API. */
export function presentTweet(tweet: PublicTweet, view: TweetView): TweetJson {
  const { id, text, author_id } = tweet;
  return {
    id,
    text,
    // Tweets are not edited: each is its own history.
    edit_history_tweet_ids: [id],
    ...(view.expansions.authors ? { author_id } : {}),
    ...pick(toJson(tweet), view["tweet.fields"].keys),
  };
}

function toJson(tweet: PublicTweet): Omit<TweetJson, "edit_history_tweet_ids"> {
  return {
    ...tweet,
    referenced_tweets: tweet.referenced_tweets?.map(({ type, id }) => ({ type, id })),
    in_reply_to_user_id: referenceOf(tweet, "replied_to")?.author_id,
  };
}

/** The authors that an expansion adds; absent where none was asked for or there is none. */
export function includedUsers(
  users: readonly PublicUser[],
  view: TweetView,
): { users: UserJson[] } | undefined {
  if (!view.expansions.authors || users.length === 0) return undefined;
  return { users: users.map((user) => presentUser(user, view["user.fields"])) };
}
