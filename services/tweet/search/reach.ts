import { limits } from "../../../config/limits.ts";
import { firstIdAt, idAfter, idBefore, idTime, idTimeMs, newestFirst } from "../../../mixins/shard-db/ids.ts";
import { invalidField } from "../../contracts/errors.ts";
import type { SearchRange } from "../../contracts/tweets.ts";
import type { Id } from "../../contracts/users.ts";
import { rangeOf } from "../../timeline/merge.ts";

/** The tweets that a search goes through: ids between the two, both exclusive. */
export interface Reach {
  after: Id;
  before: Id;
}

/**
 * What a search goes through: the last 7 days, or the part of them that was asked for. Throws 400 naming the parameter
 * that reaches further back or into the future, or what would end before it begins. `now`: ms since 1970. Pure.
 */
export function reachOf(asked: SearchRange, now: number): Reach {
  const oldest = idBefore(firstIdAt(now - limits.search.reachMs));
  const newest = firstIdAt(now + 1);
  const { after = oldest, before = newest } = rangeOf(asked);
  const lower = asked.since_id === undefined ? "start_time" : "since_id";
  const upper = asked.until_id === undefined ? "end_time" : "until_id";
  const refuse = (name: typeof lower | typeof upper, message: string) =>
    invalidField(name, asked[name], message);
  const within = `must lie within the last 7 days, after ${idTime(oldest)}`;
  if (isOlder(after, oldest)) throw refuse(lower, within);
  if (isOlder(before, oldest)) throw refuse(upper, within);
  if (isOlder(newest, after)) throw refuse(lower, "must not lie in the future");
  if (asked.until_id === undefined && isOlder(newest, before))
    throw refuse(upper, "must not lie in the future");
  if (!isOlder(after, before)) throw refuse(lower, `must lie before ${upper}`);
  return { after, before };
}

/** When what lies within a reach can have been written, in ms since 1970: from `startMs` to before `endMs`. Pure. */
export function timesOf({ after, before }: Reach): { startMs: number; endMs: number } {
  return { startMs: idTimeMs(idAfter(after)), endMs: idTimeMs(idBefore(before)) + 1 };
}

function isOlder(a: Id, b: Id): boolean {
  return newestFirst(a, b) > 0;
}
