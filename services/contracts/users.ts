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

/** What to return of users beside their profiles: public_metrics, most_recent_tweet_id. */
export interface UserExtras {
  with_metrics?: boolean;
  with_latest?: boolean;
}

export interface UserPage {
  users: PublicUser[];
  next_cursor?: string;
  previous_cursor?: string;
}
