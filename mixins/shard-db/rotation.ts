import { hash } from "node:crypto";
import type { WalPosition } from "./server.ts";

/** A replica that has more WAL to replay than this serves no reads, in bytes. */
export const MAX_LAG_BYTES = 16 * 1024 * 1024;

/** For so long what was heard of a server counts, in ms: one that was not looked at since serves no reads. */
export const LOOK_GOOD_FOR_MS = 1_500;

/**
 * How much longer than the greatest lag it takes until no process sends a session to a replica that lacks what was committed
 * before: each finds out by looks of its own.
 */
export const MARGIN_MS = LOOK_GOOD_FOR_MS + 500;

/** How a replica stands in the rotation. Times are ms on this process's monotonic clock. */
export interface Standing {
  address: string;
  inRotation: boolean;
  /** When `inRotation` last changed. */
  changedAt: number;
  /** Everything that was committed on the primary by then is there. */
  freshAsOf: number;
  /** Bytes of WAL that it has replayed. */
  replayed: number;
  lagBytes: number;
}

/** What a session's read must not be older than. */
export interface Floor {
  /** What the session has written or seen; undefined: nothing that is not everywhere by now. */
  seen: WalPosition | undefined;
  /** The primary's timeline. */
  timeline: number;
  /** For buckets that came from another shard: when. */
  movedAt: number;
}

/** Where the primary was, and when. A replica that has replayed a position is as fresh as the moment it was asked for. */
export class Positions {
  readonly #keepMs: number;
  #samples: { askedAt: number; position: number }[] = [];

  constructor(keepMs: number) {
    this.#keepMs = keepMs;
  }

  /** The latest position; 0: none is known. */
  get latest(): number {
    return this.#samples.at(-1)?.position ?? 0;
  }

  add(askedAt: number, position: number): void {
    this.#samples.push({ askedAt, position });
    while ((this.#samples[0]?.askedAt ?? askedAt) < askedAt - this.#keepMs) this.#samples.shift();
  }

  /** Since when everything was older than what a replica has replayed; undefined: not known. */
  freshAsOf(replayed: number): number | undefined {
    return this.#samples.findLast(({ position }) => position <= replayed)?.askedAt;
  }

  /** Another primary: positions that it does not have are no longer known. */
  clear(): void {
    this.#samples = [];
  }
}

/** What a look at a replica told, compared with the primary. Times are ms on this process's monotonic clock. */
export interface Measured {
  now: number;
  maxLagMs: number;
  /** Undefined: it does not answer, or is no replica of this primary. */
  replayed: number | undefined;
  /** Where the primary was. */
  positions: Positions;
}

/** How a replica stands after a look. Pure. */
export function standingAfter(before: Standing, { now, maxLagMs, replayed, positions }: Measured): Standing {
  const known = replayed === undefined ? before : { ...before, ...placeOf(replayed, before, positions) };
  const inRotation =
    replayed !== undefined && now - known.freshAsOf <= maxLagMs && known.lagBytes <= MAX_LAG_BYTES;
  return { ...known, inRotation, changedAt: inRotation === before.inRotation ? before.changedAt : now };
}

function placeOf(replayed: number, { freshAsOf }: Standing, positions: Positions) {
  return {
    replayed,
    freshAsOf: positions.freshAsOf(replayed) ?? freshAsOf,
    lagBytes: Math.max(0, positions.latest - replayed),
  };
}

/** Why the primary answers a read that a replica might have. */
export type Excuse = "none" | "unsettled" | "behind" | "moved";

/** A replica for a session. */
export interface Choice<S extends Standing> {
  replica: S;
  /** It was last seen short of this position, though with nothing left to replay: it has to be asked. */
  unlessBelow?: number;
  /** It is not the session's own: what is seen there has to be kept. */
  marks: boolean;
}

/**
 * The replica that answers a session, or why none does. A session keeps to one replica (by rendezvous hashing), which never
 * goes back in time. While that one lacks what the session has seen, another that has it answers. Where its own comes or goes,
 * the primary answers for a while (`settleMs`: the greatest lag and MARGIN_MS), until any other has what the session may have
 * seen there. Pure.
 */
export function chooseReplica<S extends Standing>(
  session: string,
  standings: readonly S[],
  { seen, timeline, movedAt }: Floor,
  { now, settleMs }: { now: number; settleMs: number },
): Choice<S> | { excuse: Excuse } {
  const settled = (standing: S) => now - standing.changedAt >= settleMs;
  const candidates = standings
    .filter((standing) => standing.inRotation || !settled(standing))
    .map((standing) => ({ standing, rank: hash("md5", `${session} ${standing.address}`, "hex") }))
    .sort((a, b) => (a.rank < b.rank ? -1 : 1))
    .map(({ standing }) => standing);
  const [own] = candidates;
  if (!own) return { excuse: "none" };
  const serves = (standing: S) => standing.inRotation && settled(standing) && standing.freshAsOf >= movedAt;
  if (!serves(own)) return { excuse: own.freshAsOf < movedAt ? "moved" : "unsettled" };
  const floor = seen?.position ?? 0;
  if (seen && seen.timeline > timeline) return { excuse: "behind" };
  if (own.replayed >= floor) return { replica: own, marks: false };
  if (own.lagBytes === 0) return { replica: own, marks: false, unlessBelow: floor };
  const other = candidates.find((standing) => serves(standing) && standing.replayed >= floor);
  return other ? { replica: other, marks: true } : { excuse: "behind" };
}
