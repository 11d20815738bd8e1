import { limits } from "../../config/limits.ts";
import { RedisDown, type RedisStore } from "./index.ts";
import { Script } from "./script.ts";
import { leaseToken } from "./token.ts";

const lua = (name: string) => new Script(new URL(`./lua/${name}.lua`, import.meta.url));
const READ = lua("leased-read-n");
const FILL = lua("leased-fill-n");
const PUT = lua("leased-put-n");
const PER_SCRIPT = 250;

/** How one kind of entry is kept: where, how long, and what the truth is. Payloads are strings. */
export interface LeasedKind {
  keyOf(id: string): string;
  ttlMs: number;
  /** The truth from Postgres; an id that is left out is stored as missing under `absent`, or not at all. */
  load(ids: string[]): Promise<Map<string, string>>;
  absent?: string;
  /** Whether `load` could not find out about some: then what it left out is not stored as missing. */
  areUnknown?(): boolean;
}

/**
 * Reads entries through Redis. A missing entry is loaded from the truth and stored under a lease (after Facebook's
 * memcache leases, NSDI 2013): an invalidation in between kills the lease, so no stale fill follows it. Without Redis,
 * or while what it holds may not be shown, every entry is loaded. Ids that do not exist are absent from the result (or map to `absent`).
 */
export async function readThrough(
  redis: RedisStore | undefined,
  ids: readonly string[],
  kind: LeasedKind,
): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const token = leaseToken();
  const leased = new Set<string>();
  if (redis?.readable) {
    const groups = redis.groups(new Set(ids), kind.keyOf, PER_SCRIPT);
    await Promise.all(
      groups.map(async (group) => {
        const answers = await redis
          .runEach(READ, group.map(kind.keyOf), () => [token, limits.leaseMs])
          .catch(ignoreDown);
        for (const [i, id] of group.entries()) {
          const answer = answers ? String(answers[i]) : "w";
          if (answer.startsWith("v")) found.set(id, answer.slice(1));
          else if (answer === "l") leased.add(id);
        }
      }),
    );
  }
  const missing = [...new Set(ids)].filter((id) => !found.has(id));
  if (missing.length === 0) return found;
  const loaded = await kind.load(missing);
  for (const id of missing) {
    const payload = loaded.get(id) ?? (kind.areUnknown?.() ? undefined : kind.absent);
    if (payload !== undefined) found.set(id, payload);
  }
  if (redis) await fill(redis, kind, token, [...leased], found);
  return found;
}

async function fill(
  redis: RedisStore,
  kind: LeasedKind,
  token: string,
  leased: string[],
  payloads: Map<string, string>,
): Promise<void> {
  const filled = new Map(
    leased.flatMap((id): [string, string][] => {
      const payload = payloads.get(id);
      return payload === undefined ? [] : [[kind.keyOf(id), payload]];
    }),
  );
  const argsFor = (keys: string[]) => [token, kind.ttlMs, ...keys.map((key) => filled.get(key) ?? "")];
  const groups = redis.groups(filled.keys(), (key) => key, PER_SCRIPT);
  await Promise.all(groups.map((group) => redis.runEach(FILL, group, argsFor).catch(ignoreDown)));
}

/**
 * Stores a payload whatever is there, for every reader from now on; a fill that is under way is refused. Throws RedisDown
 * where that is not certain.
 */
export function put(redis: RedisStore, key: string, payload: string, ttlMs: number): Promise<void> {
  return putAll(redis, [key], payload, ttlMs);
}

/** The same payload under many keys. */
export async function putAll(
  redis: RedisStore,
  keys: readonly string[],
  payload: string,
  ttlMs: number,
): Promise<void> {
  const groups = redis.groups(keys, (key) => key, PER_SCRIPT);
  await redis.durably(() =>
    Promise.all(
      groups.map((group) => redis.runEach(PUT, group, (some) => [ttlMs, ...some.map(() => payload)])),
    ),
  );
}

/** For best-effort calls: Redis being away is not an error to them. */
export function ignoreDown(error: unknown): undefined {
  if (!(error instanceof RedisDown)) throw error;
  return undefined;
}
