import { isDeepStrictEqual } from "node:util";
import { isId, newestFirst } from "../../mixins/shard-db/ids.ts";
import type { Id } from "../contracts/users.ts";
import { DELETED, MEANWHILE_MS } from "../tweet/tweet-cache.ts";
import { REVOKED } from "../user/sessions/session-entry.ts";

/** Marked sets, windowed lists, leased entries and bodies, by the names that their keys have. */
const SETS = ["following", "blocked", "muted", "pulled"] as const;
const LISTS = ["home", "author"] as const;
const VALUES = ["state", "tweet", "user", "session"] as const;

/** An entry that readers believe. `owner`: the id, or the token's hash, at the end of its key. */
export type Entry = { key: string; owner: string } & (
  | { name: (typeof SETS)[number]; members: Id[] }
  | { name: (typeof LISTS)[number]; ids: Id[]; floor: Id }
  | { name: (typeof VALUES)[number]; payload: string }
);

/** An entry as it lies in Redis: the type of its value, the value, how long it still lives. */
export interface RawEntry {
  key: string;
  name: string;
  owner: string;
  type: unknown;
  content: unknown;
  ttlMs: number;
}

/** What an entry should hold. */
export type Expected =
  | { members: ReadonlySet<Id>; optional?: ReadonlySet<Id> }
  /** `ids`: must be in a list, above `floor`, below which nothing is known; `foreign`: must not be. */
  | { ids: Id[]; floor: Id; foreign: ReadonlySet<Id> }
  | { payload: string | undefined };

/** What is wrong with an entry: ids it lacks, ids too many, or a fault in words. */
export interface Fault {
  lacks: Id[];
  extra: Id[];
  fault?: string;
}

/**
 * Understands an entry that was read on the Redis process with this mark; undefined for what readers take for missing
 * (built on another process, being filled), for what hides something only for a moment, and for other keys.
 */
export function parseEntry(raw: RawEntry, mark: string): Entry | undefined {
  const { key, owner, type, content, ttlMs } = raw;
  if (raw.name !== "pulled" && raw.name !== "session" && !isId(owner)) return undefined;
  const set = SETS.find((name) => name === raw.name);
  if (set) {
    const members = type === "set" && Array.isArray(content) ? content.map(String) : [];
    if (!members.includes(mark)) return undefined;
    return { key, owner, name: set, members: members.filter((member) => member !== mark) };
  }
  const list = LISTS.find((name) => name === raw.name);
  if (list) {
    const elements = type === "list" && Array.isArray(content) ? content.map(String) : [];
    const [, floor, builtOn] = /^(\d+)\|(-\d+)$/.exec(elements.at(-1) ?? "") ?? [];
    if (floor === undefined || builtOn !== mark) return undefined;
    return { key, owner, name: list, ids: elements.slice(0, -1), floor };
  }
  const value = VALUES.find((name) => name === raw.name);
  if (!value || typeof content !== "string" || type !== "string") return undefined;
  if (value === "tweet") return { key, owner, name: value, payload: content };
  const prefix = `v${mark}:`;
  if (!content.startsWith(prefix)) return undefined;
  const payload = content.slice(prefix.length);
  const hidden =
    (value === "session" && payload === REVOKED) ||
    (value === "state" && payload === DELETED && ttlMs <= MEANWHILE_MS);
  return hidden ? undefined : { key, owner, name: value, payload };
}

/** What is wrong with an entry; undefined: nothing. Pure. */
export function compareEntry(entry: Entry, expected: Expected): Fault | undefined {
  let found: Fault | undefined;
  if ("members" in entry && "members" in expected) found = compareSet(entry.members, expected);
  else if ("ids" in entry && "ids" in expected) found = compareList(entry, expected);
  else if ("payload" in entry && "payload" in expected && !samePayload(entry.payload, expected.payload)) {
    const fault =
      expected.payload === undefined ? "stands for what does not exist" : "is not what Postgres holds";
    found = { lacks: [], extra: [], fault };
  }
  return found && (found.fault || found.lacks.length + found.extra.length > 0) ? found : undefined;
}

/** Objects are the same whatever the order of their fields. */
function samePayload(stored: string, expected: string | undefined): boolean {
  if (stored === expected || !expected?.startsWith("{")) return stored === expected;
  try {
    return isDeepStrictEqual(JSON.parse(stored), JSON.parse(expected));
  } catch {
    return false;
  }
}

function compareSet(
  members: Id[],
  expected: { members: ReadonlySet<Id>; optional?: ReadonlySet<Id> },
): Fault {
  const stored = new Set(members);
  const { optional } = expected;
  return {
    lacks: [...expected.members].filter((id) => !stored.has(id) && !optional?.has(id)),
    extra: members.filter((id) => !expected.members.has(id) && !optional?.has(id)),
  };
}

/** A list of candidates may hold more than what is shown in the end, but nothing above its floor may be missing. */
function compareList(
  { ids, floor }: { ids: Id[]; floor: Id },
  expected: { ids: Id[]; floor: Id; foreign: ReadonlySet<Id> },
): Fault {
  const sorted = ids.every((id, i) => isId(id) && newestFirst(ids[i - 1] ?? MOST, id) < 0);
  const aboveFloor = newestFirst(ids.at(-1) ?? MOST, floor) < 0;
  const stored = new Set(ids);
  const least = newestFirst(floor, expected.floor) < 0 ? floor : expected.floor;
  return {
    lacks: expected.ids.filter((id) => newestFirst(id, least) < 0 && !stored.has(id)),
    extra: ids.filter((id) => expected.foreign.has(id)),
    ...(sorted && aboveFloor ? {} : { fault: "is not sorted, newest first, each once, above its floor" }),
  };
}

/** Above all ids. */
const MOST = "9".repeat(19);

/** What two looks at one entry agree to be wrong. Pure. */
export function bothFaults(one: Fault | undefined, other: Fault | undefined): Fault | undefined {
  if (!one || !other) return undefined;
  const [lacks, extra] = [new Set(other.lacks), new Set(other.extra)];
  const both: Fault = {
    lacks: one.lacks.filter((id) => lacks.has(id)),
    extra: one.extra.filter((id) => extra.has(id)),
    ...(one.fault && one.fault === other.fault ? { fault: one.fault } : {}),
  };
  return both.fault || both.lacks.length + both.extra.length > 0 ? both : undefined;
}
