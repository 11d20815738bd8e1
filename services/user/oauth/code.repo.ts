import { limits } from "../../../config/limits.ts";
import { type ShardDb, sql, type Tx } from "../../../mixins/shard-db/index.ts";
import type { Id } from "../../contracts/users.ts";
import type { TokenRef } from "../sessions/tokens.ts";

export interface CodeRow {
  client_id: string;
  user_id: Id;
  redirect_uri: string;
  scopes: string[];
  challenge: string;
  challenge_method: string;
  /** Of the session that it gives. */
  session_id: string;
  used: boolean;
  expires: Date;
}

const bytes = (hash: string): Buffer => Buffer.from(hash, "base64url");

/** Authorization codes, in the bucket of the user. */
export class CodeRepo {
  readonly #db: ShardDb;

  constructor(db: ShardDb) {
    this.#db = db;
  }

  /**
   * Holds an account open and its password as it is until the transaction ends. Whoever changes it, or closes the account,
   * waits, and then sees what was issued here; whoever comes after them sees what they ended. False where it was closed.
   */
  async holdAccount(tx: Tx, userId: Id): Promise<boolean> {
    const rows = await tx.query(
      sql<{ user_id: Id }>`SELECT user_id FROM credentials WHERE user_id = ${userId} FOR SHARE`,
    );
    return rows.length > 0;
  }

  /** Stores a code, within a transaction on the user's shard. */
  async insert(
    tx: Tx,
    { bucket, hash }: TokenRef,
    code: Omit<CodeRow, "session_id" | "used" | "expires">,
  ): Promise<void> {
    await tx.query(sql`
      INSERT INTO authorization_codes
        (bucket, code_hash, client_id, user_id, redirect_uri, scopes, challenge, challenge_method, expires)
      VALUES (${bucket}, ${bytes(hash)}, ${code.client_id}, ${code.user_id}, ${code.redirect_uri}, ${code.scopes},
              ${code.challenge}, ${code.challenge_method},
              now() + ${limits.authorizationCodeMs}::float8 * interval '1 ms')`);
  }

  async find({ bucket, hash }: TokenRef): Promise<CodeRow | undefined> {
    const [row] = await this.#db.read(
      { bucket },
      sql<CodeRow>`
        SELECT client_id, user_id, redirect_uri, scopes, challenge, challenge_method, session_id, used, expires
        FROM authorization_codes WHERE bucket = ${bucket} AND code_hash = ${bytes(hash)}`,
    );
    return row;
  }

  /** Marks a code as used. False where it was already. */
  async use({ bucket, hash }: TokenRef): Promise<boolean> {
    const rows = await this.#db.write(
      { bucket },
      sql<{ bucket: number }>`
        UPDATE authorization_codes SET used = true
        WHERE bucket = ${bucket} AND code_hash = ${bytes(hash)} AND NOT used RETURNING bucket`,
    );
    return rows.length > 0;
  }

  /** Locks a code that is being exchanged. False where it was taken back meanwhile. */
  async lockUsed(tx: Tx, { bucket, hash }: TokenRef): Promise<boolean> {
    const rows = await tx.query(sql<{ bucket: number }>`
      SELECT bucket FROM authorization_codes
      WHERE bucket = ${bucket} AND code_hash = ${bytes(hash)} AND used FOR UPDATE`);
    return rows.length > 0;
  }

  async delete(tx: Tx, { bucket, hash }: TokenRef): Promise<void> {
    await tx.query(
      sql`DELETE FROM authorization_codes WHERE bucket = ${bucket} AND code_hash = ${bytes(hash)}`,
    );
  }

  /** Forgets the codes of a user: none of them gives anything any more. */
  async deleteOf(tx: Tx, userId: Id): Promise<void> {
    await tx.query(sql`DELETE FROM authorization_codes WHERE user_id = ${userId}`);
  }

  /** Forgets codes that expired a day ago, a batch a shard. */
  async purge(shard: string): Promise<void> {
    await this.#db.transactionOn(shard, async (tx) => {
      const old = await tx.query(sql<{ bucket: number; code_hash: Buffer }>`
        SELECT bucket, code_hash FROM authorization_codes
        WHERE expires < now() - interval '1 day' AND (SELECT owned FROM placement) @> bucket::int
        LIMIT 5000 FOR UPDATE SKIP LOCKED`);
      if (old.length === 0) return;
      await tx.enterBuckets(old.map(({ bucket }) => bucket));
      await tx.query(sql`
        DELETE FROM authorization_codes WHERE (bucket, code_hash) IN (
          SELECT * FROM unnest(${old.map(({ bucket }) => bucket)}::smallint[],
                               ${old.map(({ code_hash }) => code_hash)}::bytea[]))`);
    });
  }
}
