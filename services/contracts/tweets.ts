import type { Id, PublicUser, UserExtras } from "./users.ts";

export interface MentionEntity {
  start: number;
  end: number;
  username: string;
  id?: Id;
}

export interface TweetEntities {
  mentions?: MentionEntity[];
  hashtags?: { start: number; end: number; tag: string }[];
  cashtags?: { start: number; end: number; tag: string }[];
  urls?: { start: number; end: number; url: string; expanded_url: string; display_url: string }[];
}

/** Another tweet that a tweet is about, and who wrote that. */
export interface TweetReference {
  type: "retweeted" | "replied_to" | "quoted";
  id: Id;
  author_id: Id;
}

/** Who may reply to a tweet, and in the conversation that it begins, beside its author and whom it mentions. */
export const REPLY_SETTINGS = ["following", "mentionedUsers", "subscribers", "verified"] as const;
export type ReplySettings = (typeof REPLY_SETTINGS)[number];

/** A tweet's body: immutable once written. */
export interface Tweet {
  id: Id;
  author_id: Id;
  text: string;
  created_at: string;
  /** The tweet that began the conversation: its own id where it is no reply. */
  conversation_id: Id;
  /** The language of its text, BCP 47; "und" where that is not known. */
  lang: string;
  entities?: TweetEntities;
  referenced_tweets?: TweetReference[];
  /** Absent: everyone. */
  reply_settings?: ReplySettings;
}

export interface TweetMetrics {
  retweet_count: number;
  reply_count: number;
  like_count: number;
  quote_count: number;
  bookmark_count: number;
  /** Views are not counted. */
  impression_count: 0;
}

/** A tweet as it is shown. */
export interface PublicTweet extends Tweet {
  /** Only where they were asked for. */
  public_metrics?: TweetMetrics;
}

/** What a timeline may leave out. */
export const EXCLUDABLE = ["replies", "retweets"] as const;
export type Excludable = (typeof EXCLUDABLE)[number];

/** What tweets name, and may bring along. */
export const TWEET_EXPANSIONS = [
  "author_id",
  "in_reply_to_user_id",
  "entities.mentions.username",
  "referenced_tweets.id",
  "referenced_tweets.id.author_id",
] as const;
export type TweetExpansion = (typeof TWEET_EXPANSIONS)[number];

/** What an expansion brings along, each once. */
export interface Included {
  users: PublicUser[];
  /** Tweets that others refer to. */
  referenced?: PublicTweet[];
  /** Those of them that are there, behind a block between their author and the viewer. */
  withheld?: Id[];
}

/** What to return beside tweets. */
export interface TweetExtras extends UserExtras {
  expand?: readonly TweetExpansion[];
  /** Also the tweets' own public_metrics. */
  with_tweet_metrics?: boolean;
}

/** A page of a list of tweets. */
export interface TweetListQuery extends TweetExtras {
  limit: number;
  /** From `next_cursor`/`previous_cursor` of an earlier page. */
  cursor?: string;
}

/** Which tweets a list goes through. */
export interface SearchRange {
  since_id?: Id;
  until_id?: Id;
  /** ISO 8601, inclusive; counts only where there is no `since_id`. */
  start_time?: string;
  /** ISO 8601, exclusive; counts only where there is no `until_id`. */
  end_time?: string;
}

export interface TimelineQuery extends TweetListQuery, SearchRange {
  user_id: Id;
  exclude?: readonly Excludable[];
}

export interface TimelinePage extends Included {
  tweets: PublicTweet[];
  next_cursor?: string;
  previous_cursor?: string;
}
