import { at, degrees, type FollowGraph } from "../bulk/graph.ts";
import { type Cost, totalMs } from "./cost.ts";
import type { Replay } from "./replay.ts";
import type { Operation } from "./workload.ts";

const ROUNDS = 3;
const READERS = 1_000;
const READS_EACH = 2;
const TWEETS_EACH = 5;
const QUIET = 100;
const GIANTS = 5;
const PULLED = 100;

/** People to measure with, by position. */
export interface Cast {
  followers: Uint32Array;
  /** Nobody follows them. */
  quiet: number[];
  /** The most followed, and the followers of the first of them. */
  giants: number[];
  fans: number[];
  /** Authors to be pulled, and who follows one of them, or several. */
  pulled: number[];
  fansOfOne: number[];
  fansOfSeveral: number[];
  /** How many of the pulled ones these follow. */
  pulledEach: number;
}

export function castOf(graph: FollowGraph): Cast {
  const followers = degrees(graph.people, graph.followee);
  const order = [...followers.keys()].sort((a, b) => at(followers, b) - at(followers, a));
  const giants = order.slice(0, GIANTS);
  const pulled = new Set(order.slice(0, PULLED));
  const pulledOf = new Uint32Array(graph.people);
  const fans: number[] = [];
  for (const [i, follower] of graph.follower.entries()) {
    const followee = at(graph.followee, i);
    if (pulled.has(followee)) pulledOf[follower] = at(pulledOf, follower) + 1;
    if (followee === giants[0] && fans.length < READERS) fans.push(follower);
  }
  const whoFollow = (least: number, most: number) => {
    const those = [...pulledOf.keys()].filter(
      (who) => at(pulledOf, who) >= least && at(pulledOf, who) <= most,
    );
    return those.slice(0, READERS);
  };
  const fansOfSeveral = whoFollow(3, 8);
  const follows = fansOfSeveral.reduce((all, who) => all + at(pulledOf, who), 0);
  return {
    ...{ followers, giants, fans, fansOfSeveral, quiet: order.slice(-QUIET), pulled: [...pulled] },
    fansOfOne: whoFollow(1, 1),
    pulledEach: follows / fansOfSeveral.length,
  };
}

/** What a tweet and a read cost with nobody pulled, and what each offer and each push of a tweet adds: µs of CPU. */
export interface PushCosts {
  write: number;
  read: number;
  offer: number;
  push: number;
}

/** Measures with everybody pushed, and nobody's list stored so far. */
export async function pushCosts(
  replay: Replay,
  { followers, quiet, giants, fans }: Cast,
): Promise<PushCosts> {
  const [giant = 0] = giants;
  const tweeted = (who: number[]) => perOperation(replay, who, TWEETS_EACH, true);
  const write = await tweeted(quiet);
  const offered = giants.reduce((all, one) => all + at(followers, one), 0) / giants.length;
  const offer = ((await tweeted(giants)) - write) / offered;
  const unread = await tweeted([giant]);
  const read = await perOperation(replay, fans, READS_EACH, false);
  const push = ((await tweeted([giant])) - unread) / fans.length;
  return { write, read, offer, push };
}

/** What a tweet costs less that is not pushed at all, and what a read costs more for the first list and for each one. */
export interface PullCosts {
  tweet: number;
  trip: number;
  list: number;
}

/** Measures with the cast's authors pulled. */
export async function pullCosts(replay: Replay, cast: Cast, { read, write }: PushCosts): Promise<PullCosts> {
  const pulled = await perOperation(replay, cast.pulled, TWEETS_EACH, true);
  const one = await perOperation(replay, cast.fansOfOne, READS_EACH, false);
  const several = await perOperation(replay, cast.fansOfSeveral, READS_EACH, false);
  const list = (several - one) / (cast.pulledEach - 1);
  return { tweet: write - pulled, trip: one - read - list, list };
}

/** The middle of some rounds, after one that only warms up. */
async function perOperation(
  replay: Replay,
  people: number[],
  times: number,
  tweets: boolean,
): Promise<number> {
  const operations = Array.from({ length: times }, () =>
    people.map((who): Operation => ({ who, tweets })),
  ).flat();
  const micros = (cost: Cost) => (1_000 * totalMs(cost)) / operations.length;
  await replay.run(operations);
  const costs: number[] = [];
  for (let round = 0; round < ROUNDS; round++) costs.push(micros(await replay.run(operations)));
  return costs.sort((a, b) => a - b)[ROUNDS >> 1] ?? 0;
}
