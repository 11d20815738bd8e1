import { type ShardDb, sql, type Tx } from "../../../mixins/shard-db/index.ts";
import type { Id } from "../../contracts/users.ts";
import { bucketOfClient } from "../sessions/tokens.ts";

export interface AppRow {
  client_id: string;
  owner_id: Id;
  name: string;
  redirect_uris: string[];
  /** null: a public client. */
  secret_hash: Buffer | null;
  bearer_seed: string;
  created_at: Date;
}

/** Apps, in the bucket of their owner, which their client id begins with. */
export class AppRepo {
  readonly #db: ShardDb;

  constructor(db: ShardDb) {
    this.#db = db;
  }

  /** Registers an app; undefined where its owner has `limit` apps already, or no open account. */
  async insert(app: Omit<AppRow, "bearer_seed" | "created_at">, limit: number): Promise<AppRow | undefined> {
    const { client_id, owner_id, name, redirect_uris, secret_hash } = app;
    return this.#db.transaction({ id: owner_id }, async (tx) => {
      // Of two that come at a time, the second counts the first.
      await tx.query(sql`SELECT FROM users WHERE id = ${owner_id} FOR NO KEY UPDATE`);
      const [row] = await tx.query(sql<AppRow>`
        INSERT INTO apps (bucket, client_id, owner_id, name, redirect_uris, secret_hash)
        SELECT bucket_of(id), ${client_id}, id, ${name}, ${redirect_uris}, ${secret_hash} FROM users
        WHERE id = ${owner_id} AND closed_at IS NULL
          AND (SELECT count(*) FROM apps WHERE owner_id = ${owner_id}) < ${limit}
        RETURNING client_id, owner_id, name, redirect_uris, secret_hash, bearer_seed, created_at`);
      return row;
    });
  }

  /** The app of a client id, from the primary; nothing is asked for what cannot be one. */
  async byClientId(clientId: string): Promise<AppRow | undefined> {
    const bucket = bucketOfClient(clientId);
    if (bucket === undefined) return undefined;
    const [row] = await this.#db.read(
      { bucket },
      sql<AppRow>`
        SELECT client_id, owner_id, name, redirect_uris, secret_hash, bearer_seed, created_at
        FROM apps WHERE bucket = ${bucket} AND client_id = ${clientId}`,
    );
    return row;
  }

  /** The apps of an owner, oldest first. */
  byOwner(owner: Id): Promise<AppRow[]> {
    return this.#db.read(
      { id: owner },
      sql<AppRow>`
        SELECT client_id, owner_id, name, redirect_uris, secret_hash, bearer_seed, created_at
        FROM apps WHERE owner_id = ${owner} ORDER BY created_at, client_id`,
    );
  }

  /** The names of apps by client id; of those that exist. */
  async names(clientIds: Iterable<string>): Promise<Map<string, string>> {
    const rows = await Promise.all([...new Set(clientIds)].map((clientId) => this.byClientId(clientId)));
    return new Map(rows.flatMap((row) => (row ? [[row.client_id, row.name]] : [])));
  }

  /** Holds an app as it is until the transaction ends. False where it was deleted, or its own token is another by now. */
  async lockSeed(tx: Tx, clientId: string, seed: string): Promise<boolean> {
    const rows = await tx.query(sql<{ client_id: string }>`
      SELECT client_id FROM apps
      WHERE bucket = ${bucketOfClient(clientId)} AND client_id = ${clientId} AND bearer_seed = ${seed} FOR SHARE`);
    return rows.length > 0;
  }

  /** Gives an app another secret, or only another seed: then its own token is another. */
  async replaceSecret(tx: Tx, clientId: string, secretHash: Buffer | undefined): Promise<void> {
    await tx.query(sql`
      UPDATE apps SET secret_hash = coalesce(${secretHash ?? null}, secret_hash), bearer_seed = gen_random_uuid()
      WHERE bucket = ${bucketOfClient(clientId)} AND client_id = ${clientId}`);
  }

  /** Deletes an app of an owner, and queues the job that ends its sessions. Returns the job; undefined where there was none. */
  async delete(owner: Id, clientId: string): Promise<Id | undefined> {
    const [job] = await this.#db.transaction({ id: owner }, (tx) => this.deleteOf(tx, owner, clientId));
    return job;
  }

  /** Deletes all apps of an owner, or one of them, with the rules of their streams, and queues the jobs that end their sessions, which it returns. */
  async deleteOf(tx: Tx, owner: Id, clientId?: string): Promise<Id[]> {
    const rows = await tx.query(sql<{ job: Id }>`
      WITH gone AS (
        DELETE FROM apps WHERE owner_id = ${owner} AND client_id = coalesce(${clientId ?? null}, client_id)
        RETURNING bucket, client_id
      ), rules AS (
        DELETE FROM stream_rules USING gone WHERE owner = gone.client_id)
      SELECT enqueue(bucket, 'app', jsonb_build_object('client_id', client_id)) AS job FROM gone`);
    return rows.map(({ job }) => job);
  }
}
