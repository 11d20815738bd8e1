import type { FanoutPolicy } from "../../config/env.ts";

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
}

/** A pulled author goes back to being pushed only below this part of the threshold, so that nobody flaps. */
const HYSTERESIS = 0.8;
const THRESHOLD = 10_000;

/**
 * The mode that an author should be heading for. Push costs one list write a follower and tweet, pull one list read a
 * follower and read: above a number of followers, pulling is cheaper (Silberstein et al., Feeding Frenzy, SIGMOD 2010).
 * Pure.
 */
export function wantedMode({ mode, pinned, followers }: Author, policy: FanoutPolicy): Wanted {
  if (pinned) return pinned;
  if (policy === "push" || policy === "pull") return policy;
  const threshold = policy === "cost" ? THRESHOLD : policy;
  return followers > (heading(mode) === "pull" ? threshold * HYSTERESIS : threshold) ? "pull" : "push";
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
