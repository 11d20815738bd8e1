import type { Look } from "./server.ts";

/** A server of a shard, and what it last said. */
export interface Seat {
  look: Look | undefined;
}

/** Who is in charge of a shard. */
export interface Roles<S extends Seat> {
  /** undefined: nobody that may be written to answers. */
  primary: S | undefined;
  /** The highest timeline that anybody knows of. */
  timeline: number;
  /** Servers that take writes although another one took over from them; they are to be marked. */
  deposed: S[];
}

/**
 * Decides by the rules of `docs/decisions/failover.md`: the server that takes writes on the highest timeline is the
 * primary. A timeline is never forgotten, and replicas bear witness to it too: so one that was deposed is not written to,
 * be it the only one that answers. Of two on one timeline, which no promotion brings about, the one that was is. Pure.
 */
export function rolesOf<S extends Seat>(
  shard: string,
  seats: readonly S[],
  before: { primary: S | undefined; timeline: number },
): Roles<S> {
  const ours = seats.filter(({ look }) => look?.shard === shard);
  const timeline = Math.max(before.timeline, ...ours.map(({ look }) => look?.timeline ?? 0));
  const writable = ours.filter(({ look }) => look?.role === "primary" && look.deposedBy === null);
  const top = writable.filter(({ look }) => look?.timeline === timeline);
  const primary = top.length === 1 ? top[0] : top.find((seat) => seat === before.primary);
  return { primary, timeline, deposed: primary ? writable.filter((seat) => !top.includes(seat)) : [] };
}
