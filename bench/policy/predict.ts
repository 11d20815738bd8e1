import { limits } from "../../config/limits.ts";
import { at, degrees, type FollowGraph } from "../bulk/graph.ts";
import type { Operation } from "./workload.ts";

/** What pushing and pulling should come to. */
export interface Prediction {
  /** Followers to whom tweets are offered. */
  offers: number;
  /** Those with a stored list, who take them. */
  pushes: number;
  /** Lists that reads take in besides the reader's own two. */
  lists: number;
  /** µs of CPU of all servers, by limits.fanout.costs, besides what is the same for everybody. */
  micros: number;
}

/** Predicts operations where `readers` have a stored list and `pulled` authors are pulled. Pure. */
export function predict(
  graph: FollowGraph,
  operations: readonly Operation[],
  readers: ReadonlySet<number>,
  pulled: ReadonlySet<number>,
): Prediction {
  const followers = degrees(graph.people, graph.followee);
  const active = new Uint32Array(graph.people);
  const pulledOf = new Uint32Array(graph.people);
  for (const [i, follower] of graph.follower.entries()) {
    const followee = at(graph.followee, i);
    if (readers.has(follower)) active[followee] = at(active, followee) + 1;
    if (pulled.has(followee)) pulledOf[follower] = at(pulledOf, follower) + 1;
  }
  const { tweet, offer, push, list, trip } = limits.fanout.costs;
  const sum = { offers: 0, pushes: 0, lists: 0, micros: 0 };
  for (const { who, tweets } of operations) {
    if (!tweets) {
      const lists = at(pulledOf, who);
      sum.lists += lists;
      sum.micros += lists * list + (lists > 0 ? trip : 0);
    } else if (!pulled.has(who)) {
      sum.offers += at(followers, who);
      sum.pushes += at(active, who);
      sum.micros += tweet + at(followers, who) * offer + at(active, who) * push;
    }
  }
  return sum;
}
