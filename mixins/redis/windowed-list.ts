import { limits } from "../../config/limits.ts";
import type { RedisStore } from "./index.ts";
import { Script } from "./script.ts";
import { leaseToken } from "./token.ts";

const lua = (name: string) => new Script(new URL(`./lua/${name}.lua`, import.meta.url));
const PUSH = lua("window-push-n");
const LEASE = lua("window-lease-1");
const PUBLISH = lua("window-publish-1");
const READ = lua("window-read-n");

const { keep, slack } = limits.homeList;

/** A list, or a slice of one, as it was read: every entry with an id above `floor` is among `ids`, newest first. */
export interface Window {
  ids: string[];
  /** "0": complete down to the first entry ever. */
  floor: string;
  /** The floor is only that of the slice: there is more below it in the list. */
  cut: boolean;
}

/** Which part of a list to read: what is older than `before`, at most `count` entries. */
export interface Slice {
  before?: string;
  count: number;
}

/** What a build found: the newest entries, newest first, each once, complete above `floor`. */
export type Built = Omit<Window, "cut">;

/** More than any list holds. */
export const WHOLE = keep + slack + 1;

/** Reads lists; one that is missing or being built is left out. Throws RedisDown. */
export async function readWindows(
  redis: RedisStore,
  keys: string[],
  slice: Slice,
): Promise<Map<string, Window>> {
  const found = new Map<string, Window>();
  await Promise.all(
    redis
      .groups(keys, (key) => key, limits.pushesPerScript)
      .map(async (group) => {
        const answers = await redis.runEach(READ, group, () => [slice.before ?? "", slice.count]);
        for (const [i, key] of group.entries()) {
          const window = parseWindow(answers.slice(3 * i, 3 * i + 3));
          if (window) found.set(key, window);
        }
      }),
  );
  return found;
}

/** Understands the three elements by which the scripts report a list. */
export function parseWindow([floor, cut, ids]: unknown[]): Window | undefined {
  if (typeof floor !== "string" || floor === "" || typeof ids !== "string") return undefined;
  return { floor, cut: cut === "1", ids: ids === "" ? [] : ids.split(",") };
}

/**
 * Offers an id to many lists: those that are stored or being built take it. Only so many at a time, so that the commands of
 * others get in between: Redis does one thing after the other. Throws RedisDown.
 */
export async function pushToWindows(redis: RedisStore, keys: string[], id: string): Promise<void> {
  const most = limits.pushesPerScript;
  for (let first = 0; first < keys.length; first += most) {
    const groups = redis.groups(keys.slice(first, first + most), (key) => key, most);
    await Promise.all(groups.map((group) => redis.runEach(PUSH, group, () => [id, keep, slack])));
  }
}

/** How long a build may take. No published list is older than this and `maxAgeMs` together. */
export function leaseMs({ maxAgeMs }: Pick<RedisStore, "maxAgeMs">): number {
  return Math.min(limits.leaseMs, maxAgeMs);
}

/**
 * Builds a missing list under a lease: pushes meanwhile are kept, an invalidation makes the publication fail. Returns
 * "published", "refused" (the lease died), "building" (somebody else is at it) or "stored". Throws RedisDown.
 */
export async function buildWindow(
  redis: RedisStore,
  key: string,
  build: () => Promise<Built>,
): Promise<"published" | "refused" | "building" | "stored"> {
  const token = leaseToken();
  const state = await redis.run(LEASE, [key], [token, leaseMs(redis)]);
  if (state === "building" || state === "stored") return state;
  const { ids, floor } = await build();
  // Up to a tenth less, so that lists built together do not expire together.
  const ttl = Math.round(redis.maxAgeMs * (1 - Math.random() / 10));
  const published = await redis.run(PUBLISH, [key], [token, ttl, floor, keep, ...ids]);
  return published === 1 ? "published" : "refused";
}
