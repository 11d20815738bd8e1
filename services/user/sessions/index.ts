import { limits } from "../../../config/limits.ts";
import { ignoreDown, putAll, readThrough } from "../../../mixins/redis/leased.ts";
import type { Resources } from "../../../mixins/resources.ts";
import { bucketOf } from "../../../mixins/shard-db/ids.ts";
import type { Tx } from "../../../mixins/shard-db/index.ts";
import type { TokenSession } from "../../contracts/sessions.ts";
import type { Id } from "../../contracts/users.ts";
import { judgeRefresh } from "./refresh-rules.ts";
import { type NewSession, SessionRepo, type TokenPair, tokenSession } from "./session.repo.ts";
import { decodeSession, encodeSession, REVOKED } from "./session-entry.ts";
import { makeRefreshToken, makeToken, parseRefreshToken, parseToken, type TokenRef } from "./tokens.ts";

/** How long a revoked session is hidden in Redis: longer than the transaction that deletes it can take. */
const HIDE_MS = 60_000;
/** Sessions of an app that one transaction ends. */
const ENDED_TOGETHER = 250;

export interface AccessToken {
  access_token: string;
  /** Seconds until the access token expires. */
  expires_in: number;
}

export interface IssuedTokens extends AccessToken {
  refresh_token: string;
}

/** Hides access tokens of a bucket from every gateway, from now on. */
export type Hide = (accessHashes: Buffer[]) => Promise<void>;

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
  async open(tx: Tx, session: NewSession & { userId: Id }): Promise<IssuedTokens> {
    const bucket = bucketOf(session.userId);
    const { issued, pair } = issue(bucket, makeRefreshToken(bucket));
    await this.#repo.insert(tx, session, pair);
    return issued;
  }

  /** The same for a session that ends with its first access token. */
  async openOnce(tx: Tx, session: NewSession & { userId: Id }): Promise<AccessToken> {
    const bucket = bucketOf(session.userId);
    const { issued, pair } = issue(bucket, makeRefreshToken(bucket));
    await this.#repo.insert(tx, session, { ...pair, refresh: undefined });
    const { access_token, expires_in } = issued;
    return { access_token, expires_in };
  }

  /**
   * Opens (or prolongs) the session in which an app asks for itself, behind an access token that the caller made, within
   * a transaction on the app's shard. Returns the seconds until it expires.
   */
  async openForApp(tx: Tx, clientId: string, token: string): Promise<number> {
    const access = parseToken("access", token);
    if (!access) throw new Error("a token that was just made is malformed");
    const { appTokenMs: accessMs, refreshTokenMs: refreshMs } = limits;
    await this.#repo.insert(tx, { clientId, scopes: [] }, { access, accessMs, refreshMs });
    return accessMs / 1_000;
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

  /** The living session of an access or refresh token (be it the latest or not), from the primary. */
  async behind(token: string): Promise<TokenSession | undefined> {
    const access = parseToken("access", token);
    const row = await (access ? this.#repo.byAccess(access) : this.behindRefresh(token));
    return row && tokenSession(row);
  }

  /** Whose session a refresh token belongs to, be it the latest or not; undefined where there is none. */
  async behindRefresh(token: string): ReturnType<SessionRepo["byFamily"]> {
    const ref = parseRefreshToken(token);
    return ref && this.#repo.byFamily(ref);
  }

  /**
   * Exchanges a refresh token for a new pair, the access token with these scopes; the old pair is dead from then on.
   * `seen`: what behindRefresh said of it. Undefined where the token is not (or no longer) good; the session may have
   * ended by that (see judgeRefresh).
   */
  async refresh(
    token: string,
    seen: { current: boolean },
    scopes?: readonly string[],
  ): Promise<{ userId: Id; issued: IssuedTokens } | undefined> {
    const ref = parseRefreshToken(token);
    if (!ref) return undefined;
    const { issued, pair } = issue(ref.bucket, makeRefreshToken(ref.bucket, token));
    return this.revoking(ref.bucket, async (tx, hide) => {
      const session = await this.#repo.lockByFamily(tx, ref);
      const verdict = session ? judgeRefresh({ ...session, overtaken: seen.current }) : "refuse";
      if (!session?.user_id || verdict === "refuse") return undefined;
      await hide([session.access_hash]);
      if (verdict === "end") {
        await this.#repo.delete(tx, ref.bucket, [session.id]);
        return undefined;
      }
      await this.#repo.replaceTokens(tx, session.id, pair, ref, scopes);
      return { userId: session.user_id, issued };
    });
  }

  /** Lets a client ask once more with a refresh token whose answer did not reach it. */
  async forgive(token: string): Promise<void> {
    const ref = parseRefreshToken(token);
    if (ref) await this.#repo.forgive(ref, limits.lostAnswerMs);
  }

  /** The living sessions of a user, newest first. */
  list(userId: Id): ReturnType<SessionRepo["list"]> {
    return this.#repo.list(userId);
  }

  /** Holds the session of a viewer until a transaction on the user's shard ends. False where it was ended. */
  holdIn(tx: Tx, { userId, sessionId }: { userId: Id; sessionId: string }): Promise<boolean> {
    return this.#repo.holdById(tx, userId, sessionId);
  }

  /** Ends a session of a user. False where it was gone already, or is not theirs. */
  async end({ userId, sessionId }: { userId: Id; sessionId: string }): Promise<boolean> {
    const bucket = bucketOf(userId);
    return this.revoking(bucket, (tx, hide) => this.endIn(tx, hide, bucket, sessionId, userId));
  }

  /** Ends a session within a transaction of `revoking`; only one of `owner`, where one is named. */
  async endIn(tx: Tx, hide: Hide, bucket: number, sessionId: string, owner?: Id): Promise<boolean> {
    const session = await this.#repo.lockById(tx, bucket, sessionId);
    if (!session || (owner && session.user_id !== owner)) return false;
    await hide([session.access_hash]);
    await this.#repo.delete(tx, bucket, [sessionId]);
    return true;
  }

  /** Ends all sessions of a user but one, within a transaction of `revoking`. */
  async endOthersIn(tx: Tx, hide: Hide, userId: Id, kept?: string): Promise<void> {
    await hide(await this.#repo.deleteOthers(tx, userId, kept));
  }

  /** Ends the sessions in which an app asks for itself, within a transaction of `revoking`. */
  async endOwnIn(tx: Tx, hide: Hide, clientId: string): Promise<void> {
    await hide(await this.#repo.deleteOwn(tx, clientId));
  }

  /** Ends sessions of an app on a shard, whosoever they are. Returns whether there may be more. */
  async endOfClient(shard: string, clientId: string): Promise<boolean> {
    return this.#hiding(async (hideIn) =>
      this.#db.transactionOn(shard, async (tx) => {
        const rows = await this.#repo.lockByClient(tx, clientId, ENDED_TOGETHER);
        await tx.enterBuckets(rows.map(({ bucket }) => bucket));
        for (const [bucket, group] of Map.groupBy(rows, (row) => row.bucket)) {
          await hideIn(tx, bucket)(group.map(({ access_hash }) => access_hash));
          await this.#repo.delete(
            tx,
            bucket,
            group.map(({ id }) => id),
          );
        }
        return rows.length === ENDED_TOGETHER;
      }),
    );
  }

  /** Drops what Redis holds of an access token; the next reader asks Postgres. Throws RedisDown. */
  async forget(token: TokenRef): Promise<void> {
    await this.#redis?.delete([this.#keyOf(token)]);
  }

  /**
   * A transaction that hides access tokens in Redis before it commits, and shows them again where it fails. What cannot
   * be hidden because Redis is away is left to the outbox.
   */
  revoking<T>(bucket: number, work: (tx: Tx, hide: Hide) => Promise<T>): Promise<T> {
    return this.#hiding((hideIn) => this.#db.transaction({ bucket }, (tx) => work(tx, hideIn(tx, bucket))));
  }

  async #hiding<T>(transaction: (hideIn: (tx: Tx, bucket: number) => Hide) => Promise<T>): Promise<T> {
    const hidden = new Map<string, TokenRef>();
    const hideIn =
      (tx: Tx, bucket: number): Hide =>
      async (accessHashes) => {
        const tokens = accessHashes.map((hash) => ({ bucket, hash: hash.toString("base64url") }));
        for (const token of tokens) hidden.set(token.hash, token);
        if (await this.#hide(tokens)) return;
        for (const token of tokens) await this.#repo.enqueueForget(tx, token);
      };
    try {
      return await transaction(hideIn);
    } catch (error) {
      await Promise.all(Array.from(hidden.values(), (token) => this.forget(token))).catch(ignoreDown);
      throw error;
    }
  }

  async #hide(tokens: TokenRef[]): Promise<boolean> {
    if (!this.#redis || tokens.length === 0) return true;
    try {
      await putAll(
        this.#redis,
        tokens.map((token) => this.#keyOf(token)),
        REVOKED,
        HIDE_MS,
      );
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

function issue(bucket: number, refreshToken: string): { issued: IssuedTokens; pair: TokenPair } {
  const accessToken = makeToken("access", bucket);
  const [access, refresh] = [parseToken("access", accessToken), parseRefreshToken(refreshToken)];
  if (!access || !refresh) throw new Error("a token that was just made is malformed");
  const { accessTokenMs: accessMs, refreshTokenMs: refreshMs } = limits;
  return {
    issued: { access_token: accessToken, refresh_token: refreshToken, expires_in: accessMs / 1_000 },
    pair: { access, refresh, accessMs, refreshMs },
  };
}
