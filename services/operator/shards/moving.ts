import type { BucketRange } from "../../../config/topology.ts";
import type { Primary, ShardServers } from "./servers.ts";

/** A step, as it begins, and how far it is. */
export interface MoveEvent {
  step: MoveStep;
  /** What of: tables, pages … */
  note?: string;
  /** Rows copied, of so many that are expected. */
  rows?: number;
  of?: number;
  bytes?: number;
  /** How far the target is behind: bytes of the source's log, or the ms that a marker took. */
  lagBytes?: number;
  lagMs?: number;
  /** How long writers were held up (ms). */
  pauseMs?: number;
}

export type MoveStep =
  | "prepare"
  | "announce"
  | "publish"
  | "copy"
  | "compare"
  | "fence"
  | "marker"
  | "decide"
  | "decided"
  | "compare-exactly"
  | "unsubscribe"
  | "unpublish"
  | "clean"
  | "take-back"
  | "ended";

/** Told synchronously of every step before it is done. */
export type OnMove = (event: MoveEvent) => void;

/** What is left to others (ms). */
export interface Waits {
  /** To nodes, from the announcement to the fence: by then every node has looked at the source. */
  announced: number;
  /** To them, from the decision until the source's rows are deleted: those who read with an old map still find them. */
  readers: number;
  /** To the servers, until what had arrived at the target before it crashed has been sent there again. */
  arrival: number;
}

/** One move as its steps see it. */
export interface Move {
  id: string;
  range: BucketRange;
  source: Primary;
  target: Primary;
  servers: ShardServers;
  onMove: OnMove;
  waits: Waits;
}

export const WAITS: Waits = { announced: 4_000, readers: 2_000, arrival: 30_000 };
