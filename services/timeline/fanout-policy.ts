import type { FanoutPolicy } from "../../config/env.ts";
import { limits } from "../../config/limits.ts";
import { costRates, type Rates } from "./fanout-cost.ts";

/** How an author's tweets reach home timelines; see migrations/0002 for the states. */
export type FanoutMode = "push" | "entering" | "pull" | "leaving";

/** Where an author may be heading for. */
export type Wanted = "push" | "pull";

/** What is known of an author when the mode is decided. */
export interface Author {
  mode: FanoutMode;
  /** An operator's word, above any policy. */
  pinned: Wanted | null;
  followers: number;
  /** undefined: not measured so far. */
  rates: Rates | undefined;
  /** s since they were measured, or since they are observed; undefined: they are not. */
  measuredAgo: number | undefined;
}

const { hysteresis, costs } = limits.fanout;
/** Tweets that must have been seen before their number says how often somebody tweets. */
const EVIDENCE = 4;
/** s that a move should pay for itself in: who is pushed again is pulled for as long, besides. */
const HORIZON = 86_400;
/** Fewer followers are pushed in any case: that costs less than if a single one came to look. */
export const FEW = Math.ceil((costs.list + costs.trip) / costs.offer);
/** Of what an author costs, measuring may take this part; at first, one tweet in so many is an occasion. */
const BUDGET = 0.05;
const AT_FIRST_ONE_IN = 6;
/** s that pass between two measurements, at least. */
const APART = 1;

/**
 * The mode that an author should be heading for. Pure.
 *
 * By cost, after Silberstein, Terrace, Cooper and Ramakrishnan, Feeding Frenzy: Selectively Materializing Users' Event
 * Feeds (SIGMOD 2010), where a producer is pushed to a consumer who reads more often, relative to the costs, than the
 * producer writes. Here one decision is made for all followers of an author, who is pushed while
 *
 *     tweets/s × (tweet + followers × offer + active followers × push)
 *       ≤ followers' reads/s × list + reads/s of followers who pull nobody else × trip
 *
 * (limits.fanout.costs), and turns only where the other side is a fifth cheaper. An author whose tweets could not be
 * delivered in time is pulled whatever it costs.
 *
 * Each pulled author is kept in a copy of the set for every partition. What bounds their number is that a move must pay
 * for itself within a day: there are at most as many as the seconds of CPU that pushing would take a day, in a system of
 * any size.
 */
export function wantedMode(author: Author, policy: FanoutPolicy): Wanted {
  const { mode, pinned, followers } = author;
  if (pinned) return pinned;
  if (policy === "push" || policy === "pull") return policy;
  const now = heading(mode);
  const bound = (most: number) => (now === "pull" ? most * hysteresis : most);
  if (policy !== "cost") return followers > bound(policy) ? "pull" : "push";
  if (followers > bound(limits.fanout.offersInTime)) return "pull";
  if (followers < bound(FEW)) return "push";
  return author.rates ? cheaperMode(now, followers, author.rates) : now;
}

function cheaperMode(now: Wanted, followers: number, rates: Rates): Wanted {
  const { push, pull } = costRates(followers, rates);
  const [here, there] = now === "push" ? [push, pull] : [pull, push];
  const known = now === "pull" || rates.tweets >= EVIDENCE;
  const pays = (here - there) * HORIZON > costs.move;
  if (!known || !pays || there > here * hysteresis) return now;
  return now === "push" ? "pull" : "push";
}

/**
 * How likely an author is to be measured at a tweet: so that measuring costs little beside what the author costs, and is
 * soon done at first. Pure.
 */
export function measuringChance({ mode, followers, rates, measuredAgo }: Author): number {
  if (followers < FEW * hysteresis) return 0;
  if (measuredAgo === undefined) return 1;
  if (measuredAgo < APART) return 0;
  if (!rates) return 1 / AT_FIRST_ONE_IN;
  const perTweet = (costRates(followers, rates)[heading(mode)] * rates.seconds) / Math.max(1, rates.tweets);
  return Math.min(1, (BUDGET * perTweet) / costs.measure);
}

/** Where an author in a mode is heading for. */
export function heading(mode: FanoutMode): Wanted {
  return mode === "pull" || mode === "entering" ? "pull" : "push";
}

/** The next mode on the way to the wanted one; undefined where there is nothing to do. Pure. */
export function nextMode(mode: FanoutMode, wanted: Wanted): FanoutMode | undefined {
  if (mode === "entering") return "pull";
  if (wanted === "pull") return mode === "pull" ? undefined : "entering";
  return { push: undefined, pull: "leaving" as const, leaving: "push" as const }[mode];
}

/** Whether an author's tweets are pushed while in a mode. */
export function isPushed(mode: FanoutMode): boolean {
  return mode !== "pull";
}
