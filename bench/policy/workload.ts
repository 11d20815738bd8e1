import { at, degrees, type FollowGraph } from "../bulk/graph.ts";
import { type Random, seededRandom } from "../load/random.ts";

/** Somebody, by position in the graph, tweets or reads a page of their home timeline. */
export interface Operation {
  who: number;
  tweets: boolean;
}

/** Reads to a tweet, as in the usual mix. */
const READS_PER_TWEET = 6;
/** How far chance moves somebody up or down among those who tweet: the standard deviation of the logarithm. */
const CHANCE = 1;

/**
 * So many operations, the same for the same seed. Who reads and who tweets are drawn by Zipf's law, each from an order of
 * their own: readers in any order; of those who tweet, the more followed tend to come first (as Kwak et al. found: What
 * is Twitter, a Social Network or a News Media?, WWW 2010). Pure.
 */
export function workload(graph: FollowGraph, count: number, seed: number): Operation[] {
  const random = seededRandom(seed);
  const followers = degrees(graph.people, graph.followee);
  const readers = ranked(graph.people, random);
  const writers = ranked(graph.people, (person) => {
    return -Math.log(1 + at(followers, person)) - CHANCE * normal(random);
  });
  return Array.from({ length: count }, () => {
    const tweets = random() * (READS_PER_TWEET + 1) < 1;
    return { who: at(tweets ? writers : readers, zipf(graph.people, random)), tweets };
  });
}

/** All positions, in the order of what `key` says of each. */
function ranked(people: number, key: (person: number) => number): Uint32Array {
  const keys = Float64Array.from({ length: people }, (_, person) => key(person));
  return Uint32Array.from(keys.keys()).sort((a, b) => (keys[a] ?? 0) - (keys[b] ?? 0));
}

/** A rank from 0, the n-th as likely as 1/(n+1): the inverse of that distribution, taken as continuous. */
function zipf(ranks: number, random: Random): number {
  return Math.min(ranks - 1, Math.floor((ranks + 1) ** random()) - 1);
}

/** A number of the standard normal distribution (Box and Muller). */
function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
