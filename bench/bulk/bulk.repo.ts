import pg from "pg";
import type { ShardConfig } from "../../config/topology.ts";
import { CopyWriter } from "./copy.ts";

/** What is loaded: tables and their columns, as they are written. */
export const TABLES = {
  users: ["id", "username", "name"],
  credentials: ["user_id", "password_hash"],
  edges: ["src", "kind", "dst", "id"],
  inverse_edges: ["dst", "kind", "src_bucket", "src", "id"],
  counters: ["subject", "name", "value"],
  tweets: ["id", "author_id", "text"],
} as const;
export type Table = keyof typeof TABLES;

const NAMES = Object.keys(TABLES);
/** What must be empty besides. */
const TRACES = ["outbox", "counter_deltas", "pull_authors"];
const LOCK_WITHIN = "15s";

/** An index or a constraint with one, as two statements. */
interface Index {
  drop: string;
  make: string;
}

/** There are users where none should be. */
export class NotEmpty extends Error {
  override name = "NotEmpty";
}

/**
 * One shard during a load, which is one transaction: it enters the fence with every bucket of the shard, and either all
 * of it is there in the end or nothing. Into empty tables it goes without indexes, which are made afterwards, and with
 * rows that are frozen at once; nobody else can use the tables meanwhile.
 */
export class ShardLoad {
  readonly shard: string;
  readonly #client: pg.Client;
  readonly #intoEmpty: boolean;
  /** What the tables were relieved of, to be made in the end. */
  indexes: readonly Index[] = [];

  private constructor(client: pg.Client, shard: string, intoEmpty: boolean) {
    this.#client = client;
    this.shard = shard;
    this.#intoEmpty = intoEmpty;
  }

  /** `add`: beside what is there. Throws NotEmpty where something is and `add` is not set. */
  static async begin(config: ShardConfig, at: { epoch: number; buckets: number[]; add: boolean }) {
    const client = new pg.Client({ connectionString: config.primary, application_name: "bulk" });
    client.on("error", () => {});
    await client.connect();
    const load = new ShardLoad(client, config.name, !at.add);
    try {
      await client.query(
        `BEGIN; SET LOCAL lock_timeout = '${LOCK_WITHIN}'; SET LOCAL maintenance_work_mem = '512MB'`,
      );
      await client.query("SELECT enter_write($1, $2)", [at.buckets, at.epoch]);
      if (load.#intoEmpty) await load.#takeOver();
      return load;
    } catch (error) {
      await load.close();
      throw error;
    }
  }

  copy(table: Table): CopyWriter {
    const freeze = this.#intoEmpty ? ", FREEZE" : "";
    return new CopyWriter(
      this.#client,
      `COPY ${table} (${TABLES[table].join(", ")}) FROM STDIN (FORMAT binary${freeze})`,
    );
  }

  async makeIndex({ make }: Index): Promise<void> {
    await this.#client.query(make);
  }

  async commit(): Promise<void> {
    await this.#client.query("COMMIT");
  }

  /** So that the planner knows what has come. */
  async analyze(): Promise<void> {
    await this.#client.query(`ANALYZE ${NAMES.join(", ")}`);
  }

  /** Ends the connection; what is not committed is undone. */
  async close(): Promise<void> {
    await this.#client.end();
  }

  async #takeOver(): Promise<void> {
    await this.#client.query(`LOCK TABLE ${NAMES.join(", ")} IN ACCESS EXCLUSIVE MODE`);
    const used = [...NAMES, ...TRACES].map((table) => `EXISTS (SELECT FROM ${table})`).join(" OR ");
    const { rows } = await this.#client.query<{ used: boolean }>(`SELECT ${used} AS used`);
    if (rows[0]?.used) throw new NotEmpty(`shard ${this.shard} is not empty`);
    this.indexes = await this.#indexesNow();
    for (const { drop } of this.indexes) await this.#client.query(drop);
    // Rows can be frozen only in a table that is new to this transaction.
    await this.#client.query(`TRUNCATE ${NAMES.join(", ")}`);
  }

  /** The indexes as the migrations made them, whichever those are. */
  async #indexesNow(): Promise<Index[]> {
    const { rows } = await this.#client.query<Index>(
      `SELECT CASE WHEN c.oid IS NULL THEN format('DROP INDEX %s', i.indexrelid::regclass)
                   ELSE format('ALTER TABLE %s DROP CONSTRAINT %I', i.indrelid::regclass, c.conname) END AS drop,
              CASE WHEN c.oid IS NULL THEN pg_get_indexdef(i.indexrelid)
                   ELSE format('ALTER TABLE %s ADD CONSTRAINT %I %s', i.indrelid::regclass, c.conname,
                               pg_get_constraintdef(c.oid)) END AS make
       FROM pg_index i LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.contype IN ('p', 'u')
       WHERE i.indrelid = ANY($1::regclass[]) ORDER BY i.indrelid, i.indexrelid`,
      [NAMES],
    );
    return rows;
  }
}
