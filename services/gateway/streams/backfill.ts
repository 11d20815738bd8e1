import { limits } from "../../../config/limits.ts";
import { newestFirst } from "../../../mixins/shard-db/ids.ts";
import { scatter } from "../../../mixins/shard-db/scatter.ts";
import type { Meta } from "../../contracts/context.ts";
import type { StreamRule } from "../../contracts/search.ts";
import type { Id } from "../../contracts/users.ts";
import type { Calls } from "./calls.ts";
import type { Outlet } from "./outlet.ts";
import type { RuleSet } from "./rule-set.ts";

/** A tweet with the rules that it matches. */
export interface Match {
  id: Id;
  rules: StreamRule[];
}

/** Searches of one backfill that are under way at a time, and pages for each rule at most. */
const WIDTH = 2;
const PAGES = 10;

/**
 * What has matched some rules since a time (ms since 1970), oldest first, as far as it shows to whose they are. Stops when
 * the stream is closed. Throws what a search throws.
 */
export async function matchesSince(
  startMs: number,
  { call, meta, rules, outlet }: { call: Calls; meta: Meta; rules: RuleSet; outlet: Outlet },
): Promise<Match[]> {
  const start_time = new Date(startMs).toISOString();
  const found = new Map<Id, StreamRule[]>();
  await scatter(queriesOf(rules.rules.map(({ value }) => value)), WIDTH, async ({ query, rules: joined }) => {
    let cursor: string | undefined;
    for (let page = 0; page < PAGES * joined && !outlet.closed; page++) {
      const asked = { query, start_time, limit: limits.search.page.max, cursor };
      const { tweets, next_cursor } = await call("tweet.search", asked, meta);
      for (const tweet of tweets) if (!found.has(tweet.id)) found.set(tweet.id, rules.matching(tweet));
      cursor = next_cursor;
      if (!cursor) break;
    }
  });
  return [...found]
    .flatMap(([id, matching]) => (matching.length > 0 ? { id, rules: matching } : []))
    .sort((a, b) => newestFirst(b.id, a.id));
}

/** Few queries that find what any of some rules finds, with how many rules are in each. Pure. */
export function queriesOf(values: readonly string[]): { query: string; rules: number }[] {
  const { depth, queryLength } = limits.search;
  const groups: string[][] = [];
  let deep = false;
  for (const value of values) {
    const last = groups.at(-1);
    const before = deep;
    // Parentheses around it would be too many.
    deep = value.split("(").length > depth;
    if (last && !deep && !before && anyOf([...last, value]).length <= queryLength) last.push(value);
    else groups.push([value]);
  }
  return groups.map((group) => ({ query: anyOf(group), rules: group.length }));
}

function anyOf(group: readonly string[]): string {
  return group.length === 1 ? (group[0] ?? "") : group.map((value) => `(${value})`).join(" OR ");
}
