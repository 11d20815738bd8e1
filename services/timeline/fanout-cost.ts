import { limits } from "../../config/limits.ts";

const { memoryS, costs } = limits.fanout;
/** The weight of a new look at the followers. */
const NEW = 0.25;

/** What the followers of an author do. Rates: home reads a second, of all followers together. */
export interface FollowerRates {
  readRate: number;
  /** Of those followers who pull nobody else. */
  readRateAlone: number;
  /** Of the followers, how many have a stored home list (0–1). */
  activeShare: number;
}

/** What an author and the followers do, smoothed. */
export interface Rates extends FollowerRates {
  /** Tweets in so many seconds, both less what has been forgotten. */
  tweets: number;
  seconds: number;
}

/** What an author costs in either mode: µs of CPU, of all servers, a second. Pure. */
export function costRates(followers: number, rates: Rates): { push: number; pull: number } {
  const { tweets, seconds, readRate, readRateAlone, activeShare } = rates;
  return {
    push: (tweets / seconds) * (costs.tweet + followers * (costs.offer + activeShare * costs.push)),
    pull: readRate * costs.list + readRateAlone * costs.trip,
  };
}

/**
 * Takes in what was seen since the last time. Tweets: an exponentially weighted moving average over time, kept as decayed
 * sums, so that the rate (one sum by the other) is right from the first interval on. Followers, of whom each look sees
 * others: an average over looks. Pure.
 */
export function smooth(before: Rates | undefined, seen: Rates): Rates {
  const kept = Math.exp(-seen.seconds / memoryS);
  // What lies back in a long interval counts less: the integral of the weight over it.
  const taken = seen.seconds > 0 ? (memoryS * (1 - kept)) / seen.seconds : 1;
  const sum = (part: "tweets" | "seconds") => (before?.[part] ?? 0) * kept + seen[part] * taken;
  const average = (part: keyof FollowerRates) =>
    before ? before[part] * (1 - NEW) + seen[part] * NEW : seen[part];
  return {
    tweets: sum("tweets"),
    seconds: sum("seconds"),
    readRate: average("readRate"),
    readRateAlone: average("readRateAlone"),
    activeShare: average("activeShare"),
  };
}
