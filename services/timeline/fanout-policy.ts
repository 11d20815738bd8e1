/** How an author's tweets reach home timelines; see migrations/0002 for the states. */
export type FanoutMode = "push" | "entering" | "pull" | "leaving";

/** A pulled author goes back to being pushed only below this part of the threshold, so that nobody flaps. */
const HYSTERESIS = 0.8;

/**
 * The mode that an author should be heading for. Push costs one list write a follower and tweet, pull one list read a
 * follower and read: above a number of followers, pulling is cheaper (Silberstein et al., Feeding Frenzy, SIGMOD 2010).
 * Pure. `threshold`: followers above which an author is pulled.
 */
export function wantedMode(now: FanoutMode, followers: number, threshold: number): "push" | "pull" {
  const pulled = now === "pull" || now === "entering";
  return followers > (pulled ? threshold * HYSTERESIS : threshold) ? "pull" : "push";
}

/** Whether an author's tweets are pushed while in a mode. */
export function isPushed(mode: FanoutMode): boolean {
  return mode !== "pull";
}
