import { type ShardDb, sql, type Tx } from "../../mixins/shard-db/index.ts";
import type { Id, TokenSession } from "../contracts/actions.ts";
import { isScope } from "../contracts/scopes.ts";
import type { TokenRef } from "./tokens.ts";

export interface SessionRow {
  id: string;
  user_id: Id | null;
  client_id: string | null;
  scopes: string[] | null;
  access_hash: Buffer;
  access_expires: Date;
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

/** A pair of tokens, as hashes, and how long each lives from now. */
export interface TokenPair {
  access: TokenRef;
  refresh: TokenRef;
  accessMs: number;
  refreshMs: number;
}

const bytes = (hash: string): Buffer => Buffer.from(hash, "base64url");

/** Sessions, in the bucket of their user. Time is Postgres's own. */
export class SessionRepo {
  readonly #db: ShardDb;

  constructor(db: ShardDb) {
    this.#db = db;
  }

  /** Opens a session; sweeps out those of the user that have expired. */
  async insert(tx: Tx, userId: Id, { access, refresh, accessMs, refreshMs }: TokenPair): Promise<void> {
    await tx.query(sql`
      WITH swept AS (DELETE FROM sessions WHERE user_id = ${userId} AND refresh_expires < now())
      INSERT INTO sessions (bucket, user_id, access_hash, access_expires, refresh_hash, refresh_expires)
      VALUES (${access.bucket}, ${userId},
              ${bytes(access.hash)}, now() + ${accessMs}::float8 * interval '1 ms',
              ${bytes(refresh.hash)}, now() + ${refreshMs}::float8 * interval '1 ms')`);
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

  /** Locks the session of a refresh token that has not expired. */
  async lockByRefresh(tx: Tx, { bucket, hash }: TokenRef): Promise<SessionRow | undefined> {
    const [row] = await tx.query(sql<SessionRow>`
      SELECT id, user_id, client_id, scopes, access_hash, access_expires FROM sessions
      WHERE bucket = ${bucket} AND refresh_hash = ${bytes(hash)} AND refresh_expires > now() FOR UPDATE`);
    return row;
  }

  async lockById(tx: Tx, bucket: number, id: string): Promise<SessionRow | undefined> {
    const [row] = await tx.query(sql<SessionRow>`
      SELECT id, user_id, client_id, scopes, access_hash, access_expires FROM sessions
      WHERE bucket = ${bucket} AND id = ${id} FOR UPDATE`);
    return row;
  }

  async replaceTokens(
    tx: Tx,
    id: string,
    { access, refresh, accessMs, refreshMs }: TokenPair,
  ): Promise<void> {
    await tx.query(sql`
      UPDATE sessions SET access_hash = ${bytes(access.hash)},
                          access_expires = now() + ${accessMs}::float8 * interval '1 ms',
                          refresh_hash = ${bytes(refresh.hash)},
                          refresh_expires = now() + ${refreshMs}::float8 * interval '1 ms'
      WHERE bucket = ${access.bucket} AND id = ${id}`);
  }

  async delete(tx: Tx, bucket: number, id: string): Promise<void> {
    await tx.query(sql`DELETE FROM sessions WHERE bucket = ${bucket} AND id = ${id}`);
  }

  /** Leaves it to the outbox to drop what Redis holds of an access token. */
  async enqueueForget(tx: Tx, token: TokenRef): Promise<void> {
    await tx.query(sql`SELECT enqueue(${token.bucket}, 'session', ${JSON.stringify(token)}::jsonb)`);
  }
}
