import type { Window } from "../../mixins/redis/windowed-list.ts";
import { firstIdAt, idBefore, newestFirst } from "../../mixins/shard-db/ids.ts";
import type { SearchRange } from "../contracts/tweets.ts";
import type { Id } from "../contracts/users.ts";

/** Which ids a page may hold: older than `before`, newer than `after` (both exclusive). */
export interface Range {
  before?: Id;
  after?: Id;
}

/** Candidates from several windowed lists. */
export interface Candidates {
  /** Newest first, each once; every entry of every list with an id above `floor` is here. */
  ids: Id[];
  floor: Id;
  /** The lists have more below the floor; otherwise only Postgres has. */
  cut: boolean;
}

const older = (a: Id, b: Id): boolean => newestFirst(a, b) > 0;

/** The greatest of the floors: above it all lists are complete. */
export function commonFloor(windows: readonly Window[]): Id {
  return windows.reduce((floor, window) => (older(floor, window.floor) ? window.floor : floor), "0");
}

/** Merges windowed lists: sorts, drops repeats, and whatever is not above the common floor or outside the range. */
export function mergeWindows(windows: readonly Window[], range: Range = {}): Candidates {
  const floor = commonFloor(windows);
  const lowest = range.after && older(floor, range.after) ? range.after : floor;
  const { before } = range;
  const kept = windows.flatMap(({ ids }) =>
    ids.filter((id) => older(lowest, id) && (!before || older(id, before))),
  );
  const lowestWindows = windows.filter((window) => window.floor === floor);
  return { ids: [...new Set(kept)].sort(newestFirst), floor, cut: lowestWindows.every(({ cut }) => cut) };
}

/** The range that a query asks for: an id takes precedence over a time, as in the X API. Pure. */
export function rangeOf(query: SearchRange): Range {
  const { since_id, until_id, start_time, end_time } = query;
  const start = start_time === undefined ? undefined : firstIdAt(Date.parse(start_time));
  const end = end_time === undefined ? undefined : firstIdAt(Date.parse(end_time));
  return { after: since_id ?? (start && idBefore(start)), before: until_id ?? end };
}

/** The tighter of two ranges. */
export function intersect(a: Range, b: Range): Range {
  const before =
    a.before && b.before ? (older(a.before, b.before) ? a.before : b.before) : (a.before ?? b.before);
  const after = a.after && b.after ? (older(a.after, b.after) ? b.after : a.after) : (a.after ?? b.after);
  return { before, after };
}
