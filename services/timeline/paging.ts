import { type Slice, WHOLE, type Window } from "../../mixins/redis/windowed-list.ts";
import { idAfter, newestFirst } from "../../mixins/shard-db/ids.ts";
import type { Tweet } from "../contracts/tweets.ts";
import type { Id } from "../contracts/users.ts";
import { intersect, mergeWindows, type Range } from "./merge.ts";

/** What a page is asked for: a range of ids, how many, and from which end of the range. */
export interface Ask {
  range: Range;
  limit: number;
  /** The entries next newer than `range.after`, instead of the newest ones. */
  nextNewer: boolean;
}

/** Picks those of some candidates that the reader may see, in their order. */
export type Show<T> = (candidates: T[]) => Promise<Tweet[]>;

/** How many candidates are looked at for a page: some may be hidden. */
const withSlack = (limit: number): number => limit + Math.ceil(limit / 4) + 5;
/** Candidates asked of Postgres at a time, at most. */
const MOST_ROWS = 1_000;

/**
 * Takes what may be shown from slices of the merged lists, one after the other, then goes on below their floor in
 * Postgres. undefined where a list could not be had in time.
 */
export async function pageFromWindows(
  windowsOf: (slice: Slice) => Promise<Window[] | undefined>,
  ask: Ask,
  show: Show<Id>,
  fromPostgres: (ask: Ask) => Promise<Tweet[]>,
): Promise<Tweet[] | undefined> {
  const { limit, nextNewer } = ask;
  const page: Tweet[] = [];
  // Slices grow, so that many hidden entries in a row cost few round trips.
  for (
    let range = ask.range, count = nextNewer ? WHOLE : withSlack(limit);
    ;
    count = Math.min(2 * count, WHOLE)
  ) {
    const windows = await windowsOf({ before: range.before, count });
    if (!windows) return undefined;
    const { ids, floor, cut } = mergeWindows(windows, range);
    const reaches = range.after !== undefined && newestFirst(range.after, floor) <= 0;
    if (nextNewer) return reaches ? (await take(ids.reverse(), limit, show)).reverse() : fromPostgres(ask);
    page.push(...(await take(ids, limit - page.length, show, count / 2)));
    if (page.length === limit || floor === "0" || reaches) return page;
    range = intersect(range, { before: idAfter(floor) });
    if (!cut) return [...page, ...(await fromPostgres({ range, limit: limit - page.length, nextNewer }))];
  }
}

/**
 * Takes what may be shown from the rows that `rowsOf` finds, newest first, in growing steps until the page is full or the
 * range is at its end. `rowsOf` answers fewer rows than it was asked for only at the end.
 */
export async function pageFromRows<Row extends { id: Id }>(
  rowsOf: (ask: Ask) => Promise<Row[]>,
  { range, limit, nextNewer }: Ask,
  show: Show<Row>,
): Promise<Tweet[]> {
  let page: Tweet[] = [];
  for (let rest = range, count = withSlack(limit); ; count = Math.min(2 * count, MOST_ROWS)) {
    const rows = await rowsOf({ range: rest, limit: count, nextNewer });
    const shown = await show(rows);
    page = nextNewer ? [...shown, ...page].slice(-limit) : [...page, ...shown].slice(0, limit);
    if (page.length === limit || rows.length < count) return page;
    rest = intersect(rest, nextNewer ? { after: rows[0]?.id } : { before: rows.at(-1)?.id });
  }
}

/** The first `limit` that show; at least `atOnce` candidates are looked at together. */
async function take(ids: Id[], limit: number, show: Show<Id>, atOnce = 0): Promise<Tweet[]> {
  const shown: Tweet[] = [];
  for (
    let at = 0, size = Math.max(limit, Math.floor(atOnce));
    at < ids.length && shown.length < limit;
    at += size, size *= 2
  ) {
    shown.push(...(await show(ids.slice(at, at + size))));
  }
  return shown.slice(0, limit);
}
