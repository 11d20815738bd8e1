/**
 * What home timelines should be, straight from the tables: the slow and plain way, on purpose. It shares nothing with
 * the services but the schema, and asks every shard for everything, so that it does not depend on any routing either.
 * The answer itself is one statement, `oracle.sql`.
 */
import { readFileSync } from "node:fs";
import pg from "pg";
import { readTopologyFile } from "../../config/topology.ts";

interface IdRow {
  id: string;
}

interface Edge {
  src: string;
  kind: string;
  dst: string;
}

/** Jobs that are due by then count as pending: retries wait a while, far-off housekeeping may wait longer. */
const SOON = "1 minute";
const HOME = readFileSync(new URL("./oracle.sql", import.meta.url), "utf8");
const REFERENCED = (type: string, field: string) =>
  `(SELECT (r ->> '${field}')::bigint FROM jsonb_array_elements(referenced_tweets) r WHERE r ->> 'type' = '${type}')`;
const TWEET = `id::text, author_id::text AS author, ${REFERENCED("retweeted", "id")}::text AS retweet_of,
  ${REFERENCED("retweeted", "author_id")}::text AS retweet_author, ${REFERENCED("replied_to", "author_id")}::text AS reply_to_author`;

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

  /** The ids of all tweets in a viewer's home timeline, newest first. */
  async homeOf(viewer: string): Promise<string[]> {
    const edges = await this.rows<Edge>(
      `SELECT src::text, kind::text, dst::text FROM edges
       WHERE kind IN ('follow', 'block', 'mute') AND (src = $1 OR dst = $1)`,
      [viewer],
    );
    const users = [viewer, ...edges.map(({ dst }) => dst)];
    const theirs = await this.rows<{ retweet_of: string | null }>(
      `SELECT ${TWEET} FROM tweets WHERE author_id = ANY($1)`,
      [users],
    );
    const originals = await this.rows(
      `SELECT ${TWEET} FROM tweets WHERE id = ANY($1) AND author_id <> ALL($2)`,
      [theirs.flatMap(({ retweet_of }) => retweet_of ?? []), users],
    );
    const tweets = JSON.stringify([...theirs, ...originals]);
    const [judge] = this.#shards;
    const answer = await judge?.query<IdRow>(HOME, [viewer, JSON.stringify(edges), tweets]);
    return answer?.rows.map(({ id }) => id) ?? [];
  }

  /** Deferred effects that are not there yet. */
  pendingJobs(): Promise<number> {
    return this.#count(`SELECT count(*) AS n FROM outbox WHERE run_after < now() + interval '${SOON}'`);
  }

  /** Deferred effects that were given up. */
  deadLetters(): Promise<number> {
    return this.#count("SELECT count(*) AS n FROM dead_letters");
  }

  /** Rows of every shard. */
  async rows<Row extends object>(text: string, values: unknown[]): Promise<Row[]> {
    const answers = await Promise.all(this.#shards.map((shard) => shard.query<Row>(text, values)));
    return answers.flatMap(({ rows }) => rows);
  }

  async #count(text: string): Promise<number> {
    const counts = await this.rows<{ n: string }>(text, []);
    return counts.reduce((sum, { n }) => sum + Number(n), 0);
  }
}
