import type { Id } from "./users.ts";

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
