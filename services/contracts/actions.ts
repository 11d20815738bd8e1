import type { EdgeDirection, RelationKind } from "./edges.ts";
import type { Granularity, RefusedRule, ShardFeed, StreamRule, TweetCount } from "./search.ts";
import type {
  AuthorizationQuery,
  ExportSection,
  ListedSession,
  OAuthAnswer,
  OAuthRequest,
  PendingAuthorization,
  RegisteredApp,
  Session,
  TokenSession,
} from "./sessions.ts";
import type {
  Excludable,
  Included,
  PublicTweet,
  ReplySettings,
  SearchRange,
  TimelinePage,
  TimelineQuery,
  Tweet,
  TweetExtras,
  TweetListQuery,
} from "./tweets.ts";
import type { Id, ProfileChange, PublicUser, UserExtras, UserPage } from "./users.ts";

interface Call<Params, Result> {
  params: Params;
  result: Result;
}

/**
 * Every action that crosses the broker: its parameters and its result. Ids are decimal strings of 19 digits, times are
 * ISO 8601 strings, unless said otherwise.
 */
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
