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
  protected: boolean;
  verified: boolean;
  /** Only where it was asked for. */
  public_metrics?: UserMetrics;
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
}

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

/** A tweet's body: immutable once written. */
export interface Tweet {
  id: Id;
  author_id: Id;
  text: string;
  created_at: string;
  entities?: TweetEntities;
}

/** Which users an edge list names: those that `user_id` points at, or those that point at it. */
export type EdgeDirection = "out" | "in";
export const EDGE_KINDS = ["follow", "block", "mute"] as const;
export type EdgeKind = (typeof EDGE_KINDS)[number];

export interface TimelineQuery {
  user_id: Id;
  limit: number;
  since_id?: Id;
  until_id?: Id;
  /** From `next_cursor`/`previous_cursor` of an earlier page. */
  cursor?: string;
  /** Also return the authors (and their public_metrics). */
  with_authors?: boolean;
  with_metrics?: boolean;
}

export interface TimelinePage {
  tweets: Tweet[];
  users: PublicUser[];
  next_cursor?: string;
  previous_cursor?: string;
}

interface Call<Params, Result> {
  params: Params;
  result: Result;
}

export interface ActionMap {
  "user.signup": Call<{ username: string; name: string; password: string }, Session>;
  "user.login": Call<{ username: string; password: string }, Session>;
  "user.refresh": Call<{ refresh_token: string }, Session>;
  "user.logout": Call<Record<string, never>, { revoked: boolean }>;
  /** The session of an access token, from the primary; null where it is unknown or expired. */
  "user.authenticate": Call<{ token: string }, (Viewer & { expiresAt: number }) | null>;
  /** Users in the order of the ids asked for; unknown ones are left out. */
  "user.get": Call<{ ids: Id[]; with_metrics?: boolean }, PublicUser[]>;
  "user.byUsername": Call<{ usernames: string[]; with_metrics?: boolean }, PublicUser[]>;
  /** Lower-case username → id, of those that exist. */
  "user.resolve": Call<{ usernames: string[] }, Record<string, Id>>;
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
      kind: EdgeKind;
      direction: EdgeDirection;
      limit: number;
      cursor?: string;
      with_metrics?: boolean;
    },
    { users: PublicUser[]; next_cursor?: string; previous_cursor?: string }
  >;

  /** 422 where the same key came with another text. */
  "tweet.create": Call<{ text: string; idempotency_key?: string }, Tweet>;
  "tweet.delete": Call<{ id: Id }, { deleted: boolean }>;
  /** Tweets in the order of the ids asked for, with their authors; unknown and deleted ones are left out. */
  "tweet.get": Call<
    { ids: Id[]; with_authors?: boolean; with_metrics?: boolean },
    { tweets: Tweet[]; users: PublicUser[] }
  >;

  /** The viewer's own home timeline, newest first (403 for another's). */
  "timeline.home": Call<TimelineQuery, TimelinePage>;
  /** An author's tweets, newest first; 403 where a block stands between author and viewer. */
  "timeline.user": Call<TimelineQuery, TimelinePage>;
}

export type ActionName = keyof ActionMap;
export type ParamsOf<A extends ActionName> = ActionMap[A]["params"];
export type ResultOf<A extends ActionName> = ActionMap[A]["result"];
