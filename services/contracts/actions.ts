import type { Scope } from "./scopes.ts";

/**
 * Every action that crosses the broker: its parameters and its result. Ids are decimal strings of 19 digits, times are
 * ISO 8601 strings, unless said otherwise.
 */

export type Id = string;

export interface PublicUser {
  id: Id;
  username: string;
  name: string;
  created_at: string;
  description?: string;
  location?: string;
  url?: string;
  profile_image_url?: string;
  pinned_tweet_id?: Id;
  protected: boolean;
  verified: boolean;
  /** Only where they were asked for. */
  public_metrics?: UserMetrics;
  most_recent_tweet_id?: Id;
}

export interface UserMetrics {
  followers_count: number;
  following_count: number;
  tweet_count: number;
  listed_count: number;
}

/** What a user may set about themself; null clears a field. */
export interface ProfileChange {
  name?: string;
  description?: string | null;
  location?: string | null;
  url?: string | null;
  /** A tweet of their own. */
  pinned_tweet_id?: Id | null;
}

export interface Session {
  user: PublicUser;
  access_token: string;
  refresh_token: string;
  /** Seconds until the access token expires. */
  expires_in: number;
}

/** Who is asking: set in `ctx.meta.viewer` by the gateway alone. */
export interface Viewer {
  userId: Id;
  sessionId: string;
  /** The app that asks for the user; absent where the user signed in here. */
  clientId?: string;
  /** What the app was granted; absent in a first-party session, which has every scope. */
  scopes?: Scope[];
}

/** An app that asks for nobody but itself: set in `ctx.meta.app` by the gateway alone. */
export interface App {
  clientId: string;
}

/** What an access token stands for: a user's session, or (without a user) an app by itself. */
export interface TokenSession extends Omit<Viewer, "userId"> {
  userId?: Id;
}

/** What an app sends a person to the consent page with. */
export interface AuthorizationQuery {
  client_id?: string;
  redirect_uri?: string;
  response_type?: string;
  scope?: string;
  state?: string;
  code_challenge?: string;
  code_challenge_method?: string;
}

/** What the consent page asks; or an error, and where to take it. */
export type PendingAuthorization =
  | {
      /** Its name. */
      app: string;
      scopes: Scope[];
      /** Where the answer will lead, as a source of Content-Security-Policy. */
      target: string;
      redirect?: undefined;
    }
  | { redirect: string };

/** A request to an OAuth endpoint: its parameters, however they were encoded, and its Authorization header. */
export interface OAuthRequest {
  form: Record<string, string>;
  authorization?: string;
}

export interface OAuthAnswer {
  status: number;
  body: Record<string, unknown>;
  /** For the header WWW-Authenticate. */
  challenge?: string;
}

/** An app as its developer sees it. */
export interface RegisteredApp {
  client_id: string;
  name: string;
  type: "public" | "confidential";
  redirect_uris: string[];
  created_at: string;
}

/** One of a person's sessions: where they signed in, or what they let an app do. */
export interface ListedSession {
  id: string;
  created_at: string;
  refreshed_at?: string;
  expires_at: string;
  user_agent?: string;
  /** The app that has it. */
  app?: { client_id: string; name?: string };
  scopes?: Scope[];
  /** Whether it is the one that asks. */
  current: boolean;
}

/** The lists of an export of one's data. */
export const EXPORT_SECTIONS = [
  "tweets",
  "following",
  "followers",
  "blocking",
  "muting",
  "likes",
  "bookmarks",
  "mentions",
] as const;
export type ExportSection = (typeof EXPORT_SECTIONS)[number];

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

/** Which users an edge list names: those that `user_id` points at, or those that point at it. */
export type EdgeDirection = "out" | "in";
/** Kinds between users. */
export const RELATION_KINDS = ["follow", "block", "mute"] as const;
/** Kinds from a user to a tweet. */
export const ENGAGEMENT_KINDS = ["like", "bookmark", "retweet"] as const;
/** Kinds that leave a tweet, as part of it. */
export const TWEET_EDGE_KINDS = ["reply", "quote", "mention"] as const;
export const EDGE_KINDS = [...RELATION_KINDS, ...ENGAGEMENT_KINDS, ...TWEET_EDGE_KINDS] as const;
export type RelationKind = (typeof RELATION_KINDS)[number];
export type EngagementKind = (typeof ENGAGEMENT_KINDS)[number];
export type EdgeKind = (typeof EDGE_KINDS)[number];

/** What a timeline may leave out. */
export const EXCLUDABLE = ["replies", "retweets"] as const;
export type Excludable = (typeof EXCLUDABLE)[number];

/** What to return of users beside their profiles: public_metrics, most_recent_tweet_id. */
export interface UserExtras {
  with_metrics?: boolean;
  with_latest?: boolean;
}

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

export const GRANULARITIES = ["minute", "hour", "day"] as const;
export type Granularity = (typeof GRANULARITIES)[number];

/** How many tweets there are from `start` to before `end`. */
export interface TweetCount {
  start: string;
  end: string;
  tweet_count: number;
}

/** A rule of the filtered stream: a query, under which tweets are delivered. */
export interface StreamRule {
  id: Id;
  value: string;
  tag?: string;
}

/** A rule that was not added: it says nothing, there is one like it (`id`), or there are too many. */
export interface RefusedRule {
  value: string;
  reason: "invalid" | "duplicate" | "cap";
  detail: string;
  id?: Id;
}

/** What a shard has of a feed, and from where on it is to be asked again. */
export interface ShardFeed {
  position: Id;
  ids: Id[];
}

export interface TimelineQuery extends TweetListQuery, SearchRange {
  user_id: Id;
  exclude?: readonly Excludable[];
}

export interface UserPage {
  users: PublicUser[];
  next_cursor?: string;
  previous_cursor?: string;
}

export interface TimelinePage extends Included {
  tweets: PublicTweet[];
  next_cursor?: string;
  previous_cursor?: string;
}

interface Call<Params, Result> {
  params: Params;
  result: Result;
}

export interface ActionMap {
  "user.signup": Call<{ username: string; name: string; password: string; user_agent?: string }, Session>;
  "user.login": Call<{ username: string; password: string; user_agent?: string }, Session>;
  "user.refresh": Call<{ refresh_token: string }, Session>;
  /** Lets a refresh token be used once more whose answer did not reach the client. */
  "user.answerLost": Call<{ refresh_token: string }, null>;
  "user.logout": Call<Record<string, never>, { revoked: boolean }>;
  /** Signs somebody in on the consent page: the session allows nothing but to answer it. */
  "user.browserLogin": Call<
    { username: string; password: string; user_agent?: string },
    { user: PublicUser; access_token: string; expires_in: number }
  >;
  /** The viewer's living sessions, newest first. */
  "user.sessions": Call<Record<string, never>, ListedSession[]>;
  /** 404 where the viewer has no such session. */
  "user.endSession": Call<{ id: string }, { revoked: boolean }>;
  /** Ends all other sessions of the viewer. 403 where the current password is wrong. */
  "user.changePassword": Call<{ current_password: string; new_password: string }, { changed: boolean }>;

  /**
   * Deletes the viewer's account: when this returns nobody finds it, its tweets or its relations any more; the outbox
   * erases them. 403 where the password is wrong.
   */
  "user.close": Call<{ password: string }, { deleted: boolean }>;

  /** What is stored about the viewer, but for the lists. */
  "user.exportAccount": Call<Record<string, never>, Record<string, unknown>>;
  /** A page of a list, oldest first; `next` where there may be more, to be asked for as `after`. */
  "user.exportPage": Call<
    { section: ExportSection; after?: Id },
    { items: Record<string, unknown>[]; next?: Id }
  >;

  /** 409 where the viewer has as many apps as one may have. The secret is shown this once. */
  "user.registerApp": Call<
    { name: string; redirect_uris: string[]; type: RegisteredApp["type"] },
    RegisteredApp & { client_secret?: string }
  >;
  "user.apps": Call<Record<string, never>, RegisteredApp[]>;
  /** 404 where the viewer has no such app with a secret. Ends the token by which the app asks for itself. */
  "user.rotateAppSecret": Call<{ client_id: string }, RegisteredApp & { client_secret: string }>;
  /** 404 where the viewer has no such app. Ends all of its sessions, with whomever. */
  "user.deleteApp": Call<{ client_id: string }, { deleted: boolean }>;

  /** 400 where the person must not be sent anywhere: the app or the address is not known. */
  "user.askAuthorization": Call<AuthorizationQuery, PendingAuthorization>;
  /** The viewer's answer. Returns where to send them; 400 as above. */
  "user.authorize": Call<AuthorizationQuery & { allowed: boolean }, { redirect: string }>;
  "user.oauthToken": Call<OAuthRequest, OAuthAnswer>;
  "user.oauthRevoke": Call<OAuthRequest, OAuthAnswer>;
  "user.oauthInvalidate": Call<OAuthRequest, OAuthAnswer>;

  /** The session of an access token, from the primary; null where it is unknown or expired. */
  "user.authenticate": Call<{ token: string }, (TokenSession & { expiresAt: number }) | null>;
  /** Users in the order of the ids asked for; unknown ones are left out. */
  "user.get": Call<{ ids: Id[] } & UserExtras, PublicUser[]>;
  "user.byUsername": Call<{ usernames: string[] } & UserExtras, PublicUser[]>;
  /** Lower-case username → id, of those that exist. */
  "user.resolve": Call<{ usernames: string[] }, Record<string, Id>>;
  /** 404 where the pinned tweet is not there, 403 where it is another's. */
  "user.update": Call<ProfileChange, PublicUser>;

  "graph.follow": Call<{ target_user_id: Id }, { following: boolean; pending_follow: boolean }>;
  "graph.unfollow": Call<{ target_user_id: Id }, { following: boolean }>;
  "graph.block": Call<{ target_user_id: Id }, { blocking: boolean }>;
  "graph.unblock": Call<{ target_user_id: Id }, { blocking: boolean }>;
  "graph.mute": Call<{ target_user_id: Id }, { muting: boolean }>;
  "graph.unmute": Call<{ target_user_id: Id }, { muting: boolean }>;
  /** Newest edge first. A list of blocks or mutes is its owner's only (403 otherwise). */
  "graph.list": Call<
    {
      user_id: Id;
      kind: RelationKind;
      direction: EdgeDirection;
      limit: number;
      cursor?: string;
    } & UserExtras,
    UserPage
  >;
  /** 404 where there is no such tweet, 403 across a block with its author. A retweet stands for its original. */
  "graph.like": Call<{ tweet_id: Id }, { liked: boolean }>;
  "graph.unlike": Call<{ tweet_id: Id }, { liked: boolean }>;
  "graph.bookmark": Call<{ tweet_id: Id }, { bookmarked: boolean }>;
  "graph.unbookmark": Call<{ tweet_id: Id }, { bookmarked: boolean }>;
  /** Who liked or retweeted a tweet, newest first. 404 where there is no such tweet. */
  "graph.engaged": Call<
    { tweet_id: Id; kind: "like" | "retweet"; limit: number; cursor?: string } & UserExtras,
    UserPage
  >;
  /** The tweets that a user liked or (only the viewer's own, else 403) bookmarked, latest such act first. */
  "graph.engagements": Call<TweetListQuery & { user_id: Id; kind: "like" | "bookmark" }, TimelinePage>;

  /** 422 where the same key came with another tweet; 404 where a referenced tweet is not there, 403 across a block or where its author does not let the viewer reply. */
  "tweet.create": Call<
    {
      text: string;
      in_reply_to_tweet_id?: Id;
      quote_tweet_id?: Id;
      reply_settings?: ReplySettings;
      idempotency_key?: string;
    },
    Tweet
  >;
  "tweet.delete": Call<{ id: Id }, { deleted: boolean }>;
  /** The retweet is a tweet of its own, with an id; there is one at most per user and original. */
  "tweet.retweet": Call<{ tweet_id: Id }, { retweeted: boolean; id: Id }>;
  "tweet.unretweet": Call<{ tweet_id: Id }, { retweeted: boolean }>;
  /** The tweets that reply to, quote or retweet a tweet, newest first. 404 where there is no such tweet. */
  "tweet.about": Call<
    TweetListQuery & {
      tweet_id: Id;
      kind: "reply" | "quote" | "retweet";
      exclude?: readonly Excludable[];
    },
    TimelinePage
  >;
  /**
   * Tweets in the order of the ids asked for, with their authors; unknown and deleted ones are left out, with `unblocked`
   * also those that a search leaves out: across a block with the viewer.
   */
  "tweet.get": Call<{ ids: Id[]; unblocked?: boolean } & TweetExtras, Included & { tweets: PublicTweet[] }>;

  /**
   * The tweets of the last 7 days that a query matches, newest first; without those across a block with the viewer. 400
   * where the query or the range is wrong, 503 where a shard is away.
   */
  "tweet.search": Call<TweetListQuery & SearchRange & { query: string }, TimelinePage>;
  /** How many they are, by minute, hour or day (UTC), every one of the range included. */
  "tweet.counts": Call<
    SearchRange & { query: string; granularity: Granularity },
    { counts: TweetCount[]; total: number }
  >;

  /**
   * By shard, the ids of tweets that are newer than `positions` or were committed late: up to `overlap_ms` older ones come
   * again. A shard without a position answers where it is now; one that is away is absent, and is asked again from the same
   * position. `more`: some shard has further ones right now.
   */
  "tweet.since": Call<
    { positions: Record<string, Id>; overlap_ms: number },
    { shards: Record<string, ShardFeed>; more: boolean }
  >;
  /** The rules of who asks, oldest first; those of `ids`, where given. */
  "tweet.rules": Call<
    { ids?: Id[]; limit: number; cursor?: string },
    { rules: StreamRule[]; next_cursor?: string }
  >;
  /** Adds those that are right; `dry_run`: says which would be. */
  "tweet.addRules": Call<
    { rules: { value: string; tag?: string }[]; dry_run?: boolean },
    { created: StreamRule[]; refused: RefusedRule[] }
  >;
  /** Removes rules by id, by value or all of them; `not_found` were not there. */
  "tweet.deleteRules": Call<
    { ids?: Id[]; values?: string[]; all?: boolean; dry_run?: boolean },
    { deleted: number; not_found: string[] }
  >;

  /** The viewer's own home timeline, newest first (403 for another's). */
  "timeline.home": Call<TimelineQuery, TimelinePage>;
  /** The tweets that mention a user, newest first, without authors whom the viewer muted or who are across a block. */
  "timeline.mentions": Call<TimelineQuery, TimelinePage>;
  /** The authors whose tweets the viewer's home timeline can hold: those they follow, and themself. */
  "timeline.authors": Call<Record<string, never>, Id[]>;
  /** An author's tweets, newest first; 403 where a block stands between author and viewer. */
  "timeline.user": Call<TimelineQuery, TimelinePage>;
}

export type ActionName = keyof ActionMap;
export type ParamsOf<A extends ActionName> = ActionMap[A]["params"];
export type ResultOf<A extends ActionName> = ActionMap[A]["result"];
