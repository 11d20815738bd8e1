import { Client } from "pg";
import { serverUrl, type TestShards } from "./servers.ts";

/** Holds up whoever reads or writes a table, on all shards of a test, while the test looks on. */
export class HeldTable {
  readonly #table: string;
  readonly #shards: Client[];
  readonly #watcher = new Client(serverUrl("PG"));

  private constructor(shards: Client[], table: string) {
    this.#shards = shards;
    this.#table = table;
  }

  static async of({ topology }: TestShards, table: string): Promise<HeldTable> {
    const held = new HeldTable(
      topology.shards.map(({ primary }) => new Client(primary)),
      table,
    );
    await Promise.all([...held.#shards, held.#watcher].map((client) => client.connect()));
    return held;
  }

  /** From everybody, or only from who writes or locks rows. */
  hold(from: "everybody" | "writers" = "everybody"): Promise<unknown> {
    const mode = from === "everybody" ? "ACCESS EXCLUSIVE" : "EXCLUSIVE";
    return this.#onEveryShard(`BEGIN; LOCK TABLE ${this.#table} IN ${mode} MODE`);
  }

  release(): Promise<unknown> {
    return this.#onEveryShard("COMMIT");
  }

  /** How many statements of one process wait, on the shard where that is most. */
  async waiting(): Promise<number> {
    const { rows } = await this.#watcher.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM pg_stat_activity
       WHERE datname = ANY($1) AND wait_event_type = 'Lock' GROUP BY datname, application_name ORDER BY n DESC`,
      [this.#shards.map(({ database }) => database)],
    );
    return rows[0]?.n ?? 0;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#shards, this.#watcher].map((client) => client.end()));
  }

  #onEveryShard(text: string): Promise<unknown> {
    return Promise.all(this.#shards.map((client) => client.query(text)));
  }
}
