import { limits } from "../../config/limits.ts";
import { ignoreDown, put, readThrough } from "../../mixins/redis/leased.ts";
import type { Resources } from "../../mixins/resources.ts";
import { bucketOf } from "../../mixins/shard-db/ids.ts";
import type { Tx } from "../../mixins/shard-db/index.ts";
import type { Id, TokenSession, Viewer } from "../contracts/actions.ts";
import { SessionRepo, type TokenPair, tokenSession } from "./session.repo.ts";
import { decodeSession, encodeSession, makeToken, parseToken, REVOKED, type TokenRef } from "./tokens.ts";

/** How long a revoked session is hidden in Redis: longer than the transaction that deletes it can take. */
const HIDE_MS = 60_000;

export interface IssuedTokens {
  access_token: string;
  refresh_token: string;
  /** Seconds until the access token expires. */
  expires_in: number;
}

/**
 * Sessions: Postgres holds them, Redis serves them by access token. A revoked one is hidden in Redis before the
 * deletion commits, so that it holds from then on.
 */
export class Sessions {
  readonly #db: Resources["db"];
  readonly #redis: Resources["redis"];
  readonly #repo: SessionRepo;

  constructor({ db, redis }: Pick<Resources, "db" | "redis">) {
    this.#db = db;
    this.#redis = redis;
    this.#repo = new SessionRepo(db);
  }

  /** Opens a session of a user within a transaction on the user's shard. */
  async open(tx: Tx, userId: Id): Promise<IssuedTokens> {
    const { issued, pair } = issue(bucketOf(userId));
    await this.#repo.insert(tx, userId, pair);
    return issued;
  }

  /** The session of an access token; null where it is malformed (nothing is asked then), unknown or expired. */
  async authenticate(token: string): Promise<(TokenSession & { expiresAt: number }) | null> {
    const ref = parseToken("access", token);
    if (!ref) return null;
    const found = await readThrough(this.#redis, [ref.hash], {
      keyOf: () => this.#keyOf(ref),
      ttlMs: limits.accessTokenMs,
      load: async () => {
        const row = await this.#repo.byAccess(ref);
        if (!row) return new Map();
        return new Map([[ref.hash, encodeSession(tokenSession(row), row.access_expires.getTime())]]);
      },
    });
    return decodeSession(found.get(ref.hash) ?? "") ?? null;
  }

  /**
   * Exchanges a refresh token for a new pair; the old pair is dead from then on. Undefined where the token is not (or
   * no longer) good.
   */
  async refresh(token: string): Promise<{ userId: Id; issued: IssuedTokens } | undefined> {
    const ref = parseToken("refresh", token);
    if (!ref) return undefined;
    const { issued, pair } = issue(ref.bucket);
    return this.#revoking(ref.bucket, async (tx, hide) => {
      const session = await this.#repo.lockByRefresh(tx, ref);
      if (!session?.user_id) return undefined;
      await hide(session.access_hash);
      await this.#repo.replaceTokens(tx, session.id, pair);
      return { userId: session.user_id, issued };
    });
  }

  /** Ends a session. False where it was gone already. */
  async end({ userId, sessionId }: Viewer): Promise<boolean> {
    const bucket = bucketOf(userId);
    return this.#revoking(bucket, async (tx, hide) => {
      const session = await this.#repo.lockById(tx, bucket, sessionId);
      if (!session) return false;
      await hide(session.access_hash);
      await this.#repo.delete(tx, bucket, sessionId);
      return true;
    });
  }

  /** Drops what Redis holds of an access token; the next reader asks Postgres. Throws RedisDown. */
  async forget(token: TokenRef): Promise<void> {
    await this.#redis?.delete([this.#keyOf(token)]);
  }

  /**
   * A transaction that hides access tokens in Redis before it commits, and shows them again where it fails. What cannot
   * be hidden because Redis is away is left to the outbox.
   */
  async #revoking<T>(
    bucket: number,
    work: (tx: Tx, hide: (accessHash: Buffer) => Promise<void>) => Promise<T>,
  ): Promise<T> {
    const hidden = new Map<string, TokenRef>();
    try {
      return await this.#db.transaction({ bucket }, (tx) =>
        work(tx, async (accessHash) => {
          const token = { bucket, hash: accessHash.toString("base64url") };
          hidden.set(token.hash, token);
          if (!(await this.#hide(token))) await this.#repo.enqueueForget(tx, token);
        }),
      );
    } catch (error) {
      await Promise.all(Array.from(hidden.values(), (token) => this.forget(token))).catch(ignoreDown);
      throw error;
    }
  }

  async #hide(token: TokenRef): Promise<boolean> {
    if (!this.#redis) return true;
    try {
      await put(this.#redis, this.#keyOf(token), REVOKED, HIDE_MS);
      return true;
    } catch (error) {
      ignoreDown(error);
      return false;
    }
  }

  #keyOf({ bucket, hash }: TokenRef): string {
    return this.#redis?.keys.session(bucket, hash) ?? "";
  }
}

function issue(bucket: number): { issued: IssuedTokens; pair: TokenPair } {
  const accessToken = makeToken("access", bucket);
  const refreshToken = makeToken("refresh", bucket);
  const [access, refresh] = [parseToken("access", accessToken), parseToken("refresh", refreshToken)];
  if (!access || !refresh) throw new Error("a token that was just made is malformed");
  const { accessTokenMs: accessMs, refreshTokenMs: refreshMs } = limits;
  return {
    issued: { access_token: accessToken, refresh_token: refreshToken, expires_in: accessMs / 1_000 },
    pair: { access, refresh, accessMs, refreshMs },
  };
}
