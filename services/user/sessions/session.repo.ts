import { type ShardDb, sql, type Tx } from "../../../mixins/shard-db/index.ts";
import { isScope } from "../../contracts/scopes.ts";
import type { TokenSession } from "../../contracts/sessions.ts";
import type { Id } from "../../contracts/users.ts";
import type { RefreshStanding } from "./refresh-rules.ts";
import type { RefreshRef, TokenRef } from "./tokens.ts";

export interface SessionRow {
  id: string;
  user_id: Id | null;
  client_id: string | null;
  scopes: string[] | null;
  access_hash: Buffer;
  access_expires: Date;
}

/** A session as its owner sees it in a list. */
export interface ListedSession extends SessionRow {
  user_agent: string | null;
  created_at: Date;
  refreshed_at: Date | null;
  expires: Date;
}

/** What a new session is to be. */
export interface NewSession {
  /** Chosen by Postgres where it is absent. */
  id?: string;
  userId?: Id;
  clientId?: string;
  /** Absent: a first-party session. */
  scopes?: readonly string[];
  userAgent?: string;
}

/** New tokens of a session, as hashes, and how long each lives from now. Without a refresh token it cannot be refreshed. */
export interface TokenPair {
  access: TokenRef;
  accessMs: number;
  refresh?: RefreshRef;
  refreshMs: number;
}

/** What the access token of a stored session stands for. */
export function tokenSession({ id, user_id, client_id, scopes }: SessionRow): TokenSession {
  return {
    sessionId: id,
    ...(user_id ? { userId: user_id } : {}),
    ...(client_id ? { clientId: client_id } : {}),
    ...(scopes ? { scopes: scopes.filter(isScope) } : {}),
  };
}

const bytes = (hash: string): Buffer => Buffer.from(hash, "base64url");

/** Sessions, in the bucket of their user, or of the app whose own they are. Time is Postgres's own. */
export class SessionRepo {
  readonly #db: ShardDb;

  constructor(db: ShardDb) {
    this.#db = db;
  }

  /** Opens a session; sweeps out those of the user that have expired. */
  async insert(tx: Tx, session: NewSession, pair: TokenPair): Promise<void> {
    const { id = null, userId = null, clientId = null, scopes = null, userAgent = null } = session;
    const { access, accessMs, refresh, refreshMs } = pair;
    await tx.query(sql`
      WITH swept AS (
        DELETE FROM sessions WHERE user_id = ${userId} AND coalesce(refresh_expires, access_expires) < now())
      INSERT INTO sessions (bucket, id, user_id, client_id, scopes, granted, user_agent,
                            access_hash, access_expires, refresh_hash, family_hash, refresh_expires)
      VALUES (${access.bucket}, coalesce(${id}::uuid, gen_random_uuid()), ${userId}, ${clientId}, ${scopes}, ${scopes},
              ${userAgent}, ${bytes(access.hash)}, now() + ${accessMs}::float8 * interval '1 ms',
              ${refresh ? bytes(refresh.hash) : null}, ${refresh ? bytes(refresh.family) : null},
              CASE WHEN ${refresh !== undefined}::boolean THEN now() + ${refreshMs}::float8 * interval '1 ms' END)
      ON CONFLICT (bucket, access_hash) DO UPDATE SET access_expires = excluded.access_expires`);
  }

  /** The living session of an access token, from the primary. */
  async byAccess({ bucket, hash }: TokenRef): Promise<SessionRow | undefined> {
    const [row] = await this.#db.read(
      { bucket },
      sql<SessionRow>`
        SELECT id, user_id, client_id, scopes, access_hash, access_expires FROM sessions
        WHERE bucket = ${bucket} AND access_hash = ${bytes(hash)} AND access_expires > now()`,
    );
    return row;
  }

  /** The living session that a refresh token belongs to, and whether it is the latest; without a lock. */
  async byFamily({
    bucket,
    hash,
    family,
  }: RefreshRef): Promise<(SessionRow & { granted: string[] | null; current: boolean }) | undefined> {
    const [row] = await this.#db.read(
      { bucket },
      sql<SessionRow & { granted: string[] | null; current: boolean }>`
        SELECT id, user_id, client_id, scopes, granted, access_hash, access_expires,
               refresh_hash = ${bytes(hash)} AS current
        FROM sessions
        WHERE bucket = ${bucket} AND family_hash = ${bytes(family)} AND refresh_expires > now()`,
    );
    return row;
  }

  /** Locks the session that a refresh token belongs to, if it has not expired, and says how the token stands to it. */
  async lockByFamily(
    tx: Tx,
    { bucket, hash, family }: RefreshRef,
  ): Promise<(SessionRow & Omit<RefreshStanding, "overtaken">) | undefined> {
    const [row] = await tx.query(sql<SessionRow & Omit<RefreshStanding, "overtaken">>`
      SELECT id, user_id, client_id, scopes, access_hash, access_expires,
             refresh_hash = ${bytes(hash)} AS current,
             coalesce(previous_hash = ${bytes(hash)} AND lost_until > now(), false) AS lost
      FROM sessions
      WHERE bucket = ${bucket} AND family_hash = ${bytes(family)} AND refresh_expires > now() FOR UPDATE`);
    return row;
  }

  async lockById(tx: Tx, bucket: number, id: string): Promise<SessionRow | undefined> {
    const [row] = await tx.query(sql<SessionRow>`
      SELECT id, user_id, client_id, scopes, access_hash, access_expires FROM sessions
      WHERE bucket = ${bucket} AND id = ${id} FOR UPDATE`);
    return row;
  }

  /** Holds a session of a user until the transaction ends. False where it was ended, or has expired. */
  async holdById(tx: Tx, userId: Id, id: string): Promise<boolean> {
    const rows = await tx.query(sql<{ id: string }>`
      SELECT id FROM sessions
      WHERE user_id = ${userId} AND id = ${id} AND coalesce(refresh_expires, access_expires) > now() FOR SHARE`);
    return rows.length > 0;
  }

  /** Gives a session new tokens for `exchanged`, its latest refresh token so far. */
  async replaceTokens(
    tx: Tx,
    id: string,
    { access, accessMs, refresh, refreshMs }: TokenPair,
    exchanged: RefreshRef,
    scopes: readonly string[] | undefined,
  ): Promise<void> {
    await tx.query(sql`
      UPDATE sessions SET access_hash = ${bytes(access.hash)},
                          access_expires = now() + ${accessMs}::float8 * interval '1 ms',
                          scopes = ${scopes ?? null},
                          refresh_hash = ${refresh ? bytes(refresh.hash) : null},
                          refresh_expires = now() + ${refreshMs}::float8 * interval '1 ms',
                          previous_hash = ${bytes(exchanged.hash)}, lost_until = NULL, refreshed_at = clock_timestamp()
      WHERE bucket = ${access.bucket} AND id = ${id}`);
  }

  /** Lets the refresh token that was exchanged last, a moment ago, be exchanged once more within `graceMs`. */
  async forgive({ bucket, hash, family }: RefreshRef, graceMs: number): Promise<void> {
    await this.#db.write(
      { bucket },
      sql`UPDATE sessions SET lost_until = now() + ${graceMs}::float8 * interval '1 ms'
          WHERE bucket = ${bucket} AND family_hash = ${bytes(family)} AND previous_hash = ${bytes(hash)}
            AND refreshed_at > now() - ${graceMs}::float8 * interval '1 ms'`,
    );
  }

  /** The living sessions of a user, newest first. */
  async list(userId: Id): Promise<ListedSession[]> {
    return this.#db.read(
      { id: userId },
      sql<ListedSession>`
        SELECT id, user_id, client_id, scopes, access_hash, access_expires, user_agent, created_at, refreshed_at,
               coalesce(refresh_expires, access_expires) AS expires
        FROM sessions WHERE user_id = ${userId} AND coalesce(refresh_expires, access_expires) > now()
        ORDER BY created_at DESC`,
    );
  }

  /** Deletes all sessions of a user but one; returns the hashes of their access tokens. */
  async deleteOthers(tx: Tx, userId: Id, kept: string | undefined): Promise<Buffer[]> {
    const rows = await tx.query(sql<{ access_hash: Buffer }>`
      DELETE FROM sessions WHERE user_id = ${userId} AND id IS DISTINCT FROM ${kept ?? null}::uuid
      RETURNING access_hash`);
    return rows.map(({ access_hash }) => access_hash);
  }

  /** Deletes the sessions in which an app asks for itself; returns the hashes of their access tokens. */
  async deleteOwn(tx: Tx, clientId: string): Promise<Buffer[]> {
    const rows = await tx.query(sql<{ access_hash: Buffer }>`
      DELETE FROM sessions WHERE client_id = ${clientId} AND user_id IS NULL RETURNING access_hash`);
    return rows.map(({ access_hash }) => access_hash);
  }

  /** Locks at most `limit` sessions of an app on a shard, whosoever they are. */
  async lockByClient(tx: Tx, clientId: string, limit: number): Promise<(SessionRow & { bucket: number })[]> {
    return tx.query(sql<SessionRow & { bucket: number }>`
      SELECT bucket, id, user_id, client_id, scopes, access_hash, access_expires FROM sessions
      WHERE client_id = ${clientId} AND (SELECT owned FROM placement) @> bucket::int LIMIT ${limit} FOR UPDATE`);
  }

  async delete(tx: Tx, bucket: number, ids: readonly string[]): Promise<void> {
    await tx.query(sql`DELETE FROM sessions WHERE bucket = ${bucket} AND id = ANY(${ids}::uuid[])`);
  }

  /** Leaves it to the outbox to drop what Redis holds of an access token; until it has, nobody believes Redis. */
  async enqueueForget(tx: Tx, token: TokenRef): Promise<void> {
    const [row] = await tx.query(
      sql<{
        job: string;
      }>`SELECT enqueue(${token.bucket}, 'session', ${JSON.stringify(token)}::jsonb) AS job`,
    );
    await tx.query(sql`UPDATE outbox SET waits_for_redis = true WHERE id = ${row?.job}`);
  }
}
