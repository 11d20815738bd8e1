import type { EdgeKind } from "../contracts/edges.ts";

/** What an edge joins, and the counters that it moves. */
export interface EdgeShape {
  from: "user" | "tweet";
  to: "user" | "tweet";
  /** Counter of the source: how many such edges leave it. */
  out?: string;
  /** Counter of the destination: how many arrive. */
  in?: string;
}

/** Every kind of edge there is. A reply, a quote and a mention leave the tweet that they are part of. */
export const edgeKinds = {
  follow: { from: "user", to: "user", out: "following", in: "followers" },
  block: { from: "user", to: "user" },
  mute: { from: "user", to: "user" },
  like: { from: "user", to: "tweet", in: "likes" },
  bookmark: { from: "user", to: "tweet", in: "bookmarks" },
  retweet: { from: "user", to: "tweet", in: "retweets" },
  reply: { from: "tweet", to: "tweet", in: "replies" },
  quote: { from: "tweet", to: "tweet", in: "quotes" },
  mention: { from: "tweet", to: "user" },
} as const satisfies Record<EdgeKind, EdgeShape>;

/** The shape of a kind, whichever it is. */
export function shapeOf(kind: EdgeKind): EdgeShape {
  return edgeKinds[kind];
}
