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
