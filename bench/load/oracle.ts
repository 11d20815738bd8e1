/**
 * What home timelines should be, straight from the tables: the slow and plain way, on purpose. It shares nothing with
 * the services but the schema, and asks every shard for everything, so that it does not depend on any routing either.
 */
import pg from "pg";
import { readTopologyFile } from "../../config/topology.ts";

interface IdRow {
  id: string;
}

/** Jobs that are due by then count as pending: retries wait a while, far-off housekeeping may wait longer. */
const SOON = "1 minute";

export class Oracle {
  readonly #shards: pg.Pool[];

  /** Throws TopologyError where the file cannot be read. */
  constructor(topologyFile: string) {
    this.#shards = readTopologyFile(topologyFile).shards.map(
      ({ primary }) =>
        new pg.Pool({
          connectionString: primary,
          max: 4,
          application_name: "oracle",
          statement_timeout: 30_000,
        }),
    );
    for (const shard of this.#shards) shard.on("error", () => {});
  }

  async close(): Promise<void> {
    await Promise.all(this.#shards.map((shard) => shard.end()));
  }

  /**
   * The ids of all tweets in a viewer's home timeline, newest first: those of whom the viewer follows and the viewer's
   * own, without authors whom the viewer mutes or blocks or who block the viewer.
   */
  async homeOf(viewer: string): Promise<string[]> {
    const [following, muted, blocked, blockedBy] = await Promise.all([
      this.#ids("SELECT dst AS id FROM edges WHERE src = $1 AND kind = 'follow'", [viewer]),
      this.#ids("SELECT dst AS id FROM edges WHERE src = $1 AND kind = 'mute'", [viewer]),
      this.#ids("SELECT dst AS id FROM edges WHERE src = $1 AND kind = 'block'", [viewer]),
      this.#ids("SELECT src AS id FROM edges WHERE dst = $1 AND kind = 'block'", [viewer]),
    ]);
    const hidden = new Set([...muted, ...blocked, ...blockedBy]);
    const authors = [viewer, ...following.filter((author) => !hidden.has(author))];
    const tweets = await this.#ids("SELECT id FROM tweets WHERE author_id = ANY($1)", [authors]);
    return tweets.sort((a, b) => Number(BigInt(b) - BigInt(a)));
  }

  /** Deferred effects that are not there yet. */
  pendingJobs(): Promise<number> {
    return this.#count(`SELECT count(*) AS n FROM outbox WHERE run_after < now() + interval '${SOON}'`);
  }

  /** Deferred effects that were given up. */
  deadLetters(): Promise<number> {
    return this.#count("SELECT count(*) AS n FROM dead_letters");
  }

  async #ids(text: string, values: unknown[]): Promise<string[]> {
    const answers = await Promise.all(this.#shards.map((shard) => shard.query<IdRow>(text, values)));
    return answers.flatMap(({ rows }) => rows.map(({ id }) => id));
  }

  async #count(text: string): Promise<number> {
    const answers = await Promise.all(this.#shards.map((shard) => shard.query<{ n: string }>(text)));
    return answers.reduce((sum, { rows }) => sum + Number(rows[0]?.n ?? 0), 0);
  }
}
