import pg from "pg";
import type { Topology } from "../../config/topology.ts";

/** A database that every server has. */
export const MAINTENANCE = "postgres";

/** The one shard of a benchmark, as one variant has it. */
export class Database {
  readonly topology: Topology;
  readonly url: string;
  readonly #client: pg.Client;

  private constructor(client: pg.Client, topology: Topology, url: string) {
    this.#client = client;
    this.topology = topology;
    this.url = url;
  }

  /** A copy of what the shard holds, under a name of its own. Nobody else may be connected to the shard. */
  static async copyOf({ shards: [shard] }: Topology, name: string): Promise<Database> {
    if (!shard) throw new Error("no shard");
    const { pathname } = new URL(shard.primary);
    const server = new pg.Client({ connectionString: onDatabase(shard.primary, MAINTENANCE) });
    await server.connect();
    await server.query(`CREATE DATABASE ${name} TEMPLATE ${pathname.slice(1)}`);
    await server.end();
    const url = onDatabase(shard.primary, name);
    const client = new pg.Client({ connectionString: url, application_name: "bench" });
    client.on("error", () => {});
    await client.connect();
    return new Database(client, { shards: [{ ...shard, primary: url }] }, url);
  }

  close(): Promise<void> {
    return this.#client.end();
  }

  /** Fan-out that is not done, and changes of mode that are due soon. */
  async pendingJobs(): Promise<number> {
    const { rows } = await this.#client.query<{ n: string }>(
      "SELECT count(*) AS n FROM outbox WHERE run_after < now() + interval '1 minute'",
    );
    return Number(rows[0]?.n);
  }

  /** Has authors pulled, by an operator's word. */
  async pin(authors: readonly number[]): Promise<void> {
    await this.#client.query(
      `WITH authors AS (
         SELECT id FROM (SELECT id, row_number() OVER (ORDER BY id) - 1 AS place FROM users) WHERE place = ANY($1)
       ), pinned AS (INSERT INTO fanout_rates (author_id, pinned) SELECT id, 'pull' FROM authors)
       INSERT INTO pull_authors (author_id, state) SELECT id, 'pull' FROM authors`,
      [authors],
    );
  }

  /** Who is pulled. Users are named by position: they were made in that order. */
  async pulled(): Promise<Set<number>> {
    const { rows } = await this.#client.query<{ place: string }>(
      `SELECT place FROM (SELECT id, row_number() OVER (ORDER BY id) - 1 AS place FROM users)
       JOIN pull_authors ON author_id = id WHERE state = 'pull'`,
    );
    return new Set(rows.map(({ place }) => Number(place)));
  }
}

/** The same server, another database. */
export function onDatabase(url: string, database: string): string {
  const moved = new URL(url);
  moved.pathname = `/${database}`;
  return moved.href;
}
