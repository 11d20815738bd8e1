import { limits, type RateClass } from "../../config/limits.ts";
import { RedisDown, type RedisStore } from "../../mixins/redis/index.ts";
import { Script } from "../../mixins/redis/script.ts";
import type { Seen } from "../../mixins/shard-db/session.ts";
import type { TokenSession } from "../contracts/sessions.ts";
import type { TokenRef } from "../user/sessions/tokens.ts";
import { type Limit, LocalBuckets, type Verdict } from "./local-buckets.ts";

/** How long what a session has seen is remembered; without it, it reads from primaries for a while. */
const SEEN_FOR_MS = 3_600_000;
const REMEMBER = new Script(new URL("./lua/remember-1.lua", import.meta.url));
const ADMIT = new Script(new URL("./lua/admit-n.lua", import.meta.url));

/**
 * Whose bucket is meant: that of who stands behind a session (of a token of that bucket), of an IP address, or of an
 * account whose password somebody tries (by its handle, in lower case; from one address or from all), whether there is one
 * or not.
 */
export type Payer =
  | { ip: string }
  | { account: string; ip?: string }
  | { session: TokenSession; bucket: number };

/** What Redis knows of a session. */
export interface Admitted {
  payload: string;
  verdict?: Verdict;
  /** How far it has seen each shard … */
  seen: Seen;
  /** … since so many ms; undefined: not known. */
  ageMs?: number;
}

/**
 * Token buckets per user, app or IP and endpoint class, in Redis; in this process alone while Redis is away. Every verdict
 * is undefined where the limits are switched off.
 */
export class RateLimiter {
  readonly #redis: RedisStore | undefined;
  readonly #limits: ReadonlyMap<RateClass, Limit>;
  readonly #off: boolean;
  readonly #local = new LocalBuckets();

  /** `factor` multiplies every limit; 0 switches them off. */
  constructor(redis: RedisStore | undefined, factor: number) {
    this.#redis = redis;
    this.#off = factor === 0;
    this.#limits = new Map(
      (Object.keys(limits.rates) as RateClass[]).map((name) => {
        const { perWindow, windowMs } = limits.rates[name];
        return [name, { capacity: this.#off ? 0 : Math.max(1, Math.round(perWindow * factor)), windowMs }];
      }),
    );
  }

  /**
   * The session that Redis holds for an access token, the verdict on its user and what that user has seen of the shards, in
   * one round trip. The payload is empty where Redis does not have the session or is away: nothing was taken then. `cost` 0
   * takes nothing; without `withSeen` nobody asks what has been seen.
   */
  async admit(
    token: TokenRef,
    rate: RateClass,
    { cost = 1, withSeen = false }: { cost?: number; withSeen?: boolean } = {},
  ): Promise<Admitted> {
    const redis = this.#redis;
    if (!redis?.readable) return { payload: "", seen: {} };
    const limit = this.#limitOf(rate);
    try {
      const keys = [
        redis.keys.userRate(token.bucket),
        redis.keys.session(token.bucket, token.hash),
        ...(withSeen ? [redis.keys.seenPrefix(token.bucket)] : []),
      ];
      const args = [limit.capacity, limit.windowMs, cost, rate, limits.rates[rate].by, SEEN_FOR_MS];
      const [payload, seen, ageMs, ...verdict]: unknown[] = listOf(await redis.run(ADMIT, keys, args));
      const known = ageMs === undefined ? {} : { seen: readSeen(String(seen)), ageMs: Number(ageMs) };
      return { payload: String(payload ?? ""), seen: {}, ...known, ...readVerdict(verdict, limit) };
    } catch (error) {
      if (error instanceof RedisDown) return { payload: "", seen: {} };
      throw error;
    }
  }

  /**
   * Keeps how far a user or an app has seen each shard. False where that is not certain: Redis could not be told, or the one
   * that this process has may have been deposed.
   */
  async remember(bucket: number, name: string, seen: Seen): Promise<boolean> {
    const redis = this.#redis;
    if (!redis?.readable) return false;
    const news = Object.entries(seen).flatMap(([shard, at]) => [shard, ...at.split(":")]);
    try {
      await redis.run(REMEMBER, [`${redis.keys.seenPrefix(bucket)}${name}`], [SEEN_FOR_MS, ...news]);
      return true;
    } catch (error) {
      if (error instanceof RedisDown) return false;
      throw error;
    }
  }

  /** Takes a token. */
  spend(payer: Payer, rate: RateClass): Promise<Verdict | undefined> {
    return this.#take(payer, rate, 1);
  }

  /** Gives a token back. */
  async refund(payer: Payer, rate: RateClass): Promise<void> {
    await this.#take(payer, rate, -1);
  }

  /** Whether a token could be taken; takes none. */
  look(payer: Payer, rate: RateClass): Promise<Verdict | undefined> {
    return this.#take(payer, rate, 0);
  }

  async #take(payer: Payer, rate: RateClass, cost: number): Promise<Verdict | undefined> {
    if (this.#off) return undefined;
    const limit = this.#limitOf(rate);
    if (this.#redis) {
      const { keys } = this.#redis;
      const key =
        "session" in payer
          ? `${keys.userRate(payer.bucket)}${rate}:${payerName(payer.session, rate)}`
          : keys.rate(nameOf(payer, rate), rate);
      try {
        const answer = await this.#redis.run(ADMIT, [key], [limit.capacity, limit.windowMs, cost]);
        return readVerdict(listOf(answer).slice(3), limit).verdict;
      } catch (error) {
        if (!(error instanceof RedisDown)) throw error;
      }
    }
    return this.#local.take(`${nameOf(payer, rate)}:${rate}`, limit, cost);
  }

  #limitOf(rate: RateClass): Limit {
    const limit = this.#limits.get(rate);
    if (!limit) throw new Error(`no limit is known for ${rate}`);
    return limit;
  }
}

function nameOf(payer: Payer, rate: RateClass): string {
  if ("session" in payer) return payerName(payer.session, rate);
  if (!("account" in payer)) return `ip:${payer.ip}`;
  return `account:${payer.account}${payer.ip ? `@${payer.ip}` : ""}`;
}

/** Who pays for a session's requests, as the script admit-n names them: user, app, or user and app. Pure. */
export function payerName({ userId, clientId }: TokenSession, rate: RateClass): string {
  const byUser = limits.rates[rate].by === "user";
  return [userId, ...(userId && byUser ? [] : [clientId])].filter(Boolean).join(":");
}

const listOf = (answer: unknown): unknown[] => (Array.isArray(answer) ? answer : []);

function readVerdict(
  [passes, remaining, fullInMs, waitMs]: unknown[],
  { capacity }: Limit,
): { verdict?: Verdict } {
  if (passes === undefined) return {};
  return {
    verdict: {
      passes: passes === 1,
      limit: capacity,
      remaining: Number(remaining),
      reset: Math.ceil((Date.now() + Number(fullInMs)) / 1_000),
      waitMs: Number(waitMs),
    },
  };
}

/** As the script remember-1 writes it. */
function readSeen(text: string): Seen {
  const pairs = text.split(" ").flatMap((each) => {
    const [shard, at] = each.split("=");
    return shard && at ? [[shard, at] as const] : [];
  });
  return Object.fromEntries(pairs);
}
