import { randomBytes } from "node:crypto";
import { limits } from "../../config/limits.ts";
import type { RedisStore } from "./index.ts";
import { Script } from "./script.ts";

const lua = (name: string) => new Script(new URL(`./lua/${name}.lua`, import.meta.url));
const LEASE = lua("set-lease-1");
const PUBLISH = lua("set-publish-1");
const CHANGE = lua("set-change-n");

/**
 * A set of ids that also holds the mark of the Redis process it was filled on: without the mark the set counts as
 * missing, so that an empty set, an evicted one and one that a failover cut short are told apart.
 */
export interface MarkedSet {
  key: string;
  load: () => Promise<string[]>;
}

/** Fills a missing set under a lease. Returns whether it is stored now, as far as this caller knows. Throws RedisDown. */
export async function fillSet(redis: RedisStore, { key, load }: MarkedSet): Promise<boolean> {
  const token = randomBytes(9).toString("base64url");
  const state = await redis.run(LEASE, [key], [token, limits.leaseMs]);
  if (state !== "leased") return state === "stored";
  const members = await load();
  return (await redis.run(PUBLISH, [key], [token, limits.homeList.maxAgeMs, ...members])) === 1;
}

/** Adds a member to sets or removes it; sets that are not stored stay missing, and fills under way are refused. */
export async function changeSets(
  redis: RedisStore,
  keys: string[],
  change: "add" | "remove",
  member: string,
): Promise<void> {
  const groups = redis.groups(keys, (key) => key, limits.pushesPerScript);
  await Promise.all(groups.map((group) => redis.run(CHANGE, group, [change, member])));
}
