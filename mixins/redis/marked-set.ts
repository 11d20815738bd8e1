import { limits } from "../../config/limits.ts";
import type { RedisStore } from "./index.ts";
import { Script } from "./script.ts";
import { leaseToken } from "./token.ts";

const lua = (name: string) => new Script(new URL(`./lua/${name}.lua`, import.meta.url));
const LEASE = lua("set-lease-1");
const PUBLISH = lua("set-publish-1");
const CHANGE = lua("set-change-n");

/**
 * A marked set is a set of ids that also holds the mark of the Redis process it was filled on: without the mark it counts
 * as missing, so that an empty set, an evicted one and one that a failover cut short are told apart.
 *
 * Fills the missing ones among some sets under leases, all from one look at the truth, which is taken once every lease is
 * held; `load` answers the members of each set in order. Returns whether all are stored now. Throws RedisDown.
 */
export async function fillSets(
  redis: RedisStore,
  keys: string[],
  load: () => Promise<string[][]>,
): Promise<boolean> {
  const token = leaseToken();
  const states = await Promise.all(keys.map((key) => redis.run(LEASE, [key], [token, limits.leaseMs])));
  if (!states.includes("leased")) return !states.includes("building");
  const members = await load();
  const published = await Promise.all(
    keys.map((key, i) => {
      if (states[i] !== "leased") return states[i] === "stored";
      return publish(redis, key, token, members[i] ?? []);
    }),
  );
  return published.every(Boolean);
}

/** More members than this are too many arguments for one call. */
const PER_CALL = 50_000;

async function publish(redis: RedisStore, key: string, token: string, members: string[]): Promise<boolean> {
  const ttl = redis.maxAgeMs;
  for (let at = 0; members.length - at > PER_CALL; at += PER_CALL) {
    const part = members.slice(at, at + PER_CALL);
    if ((await redis.run(PUBLISH, [key], [token, "more", ttl, ...part])) !== 1) return false;
  }
  const rest = members.length % PER_CALL || Math.min(members.length, PER_CALL);
  const last = members.slice(members.length - rest);
  return (
    (await redis.run(PUBLISH, [key], [token, rest === members.length ? "all" : "last", ttl, ...last])) === 1
  );
}

/**
 * Adds a member to sets or removes it, for every reader from now on; sets that are not stored stay missing, and fills
 * under way are refused. Throws RedisDown where that is not certain.
 */
export async function changeSets(
  redis: RedisStore,
  keys: string[],
  change: "add" | "remove",
  member: string,
): Promise<void> {
  const groups = redis.groups(keys, (key) => key, limits.pushesPerScript);
  await redis.durably(() =>
    Promise.all(groups.map((group) => redis.runEach(CHANGE, group, () => [change, member]))),
  );
}
