import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import type { Topology } from "../../config/topology.ts";
import { sqlState } from "../../mixins/shard-db/pools.ts";
import { Router, type ShardMap } from "../../mixins/shard-db/router.ts";

/** What a writer was told is written: tweets that are there, and such as were deleted again. */
export interface Written {
  kept: Set<string>;
  deleted: Set<string>;
}

const BUCKETS_WRITTEN = 64;
/** Between two writes of a lane (ms): moves are what a test is about, not how much there is to move. */
const REST_MS = 10;

/**
 * Writers who go through the fence and nothing else: each writes tweets in buckets of its own choice, deletes some again,
 * and retries with a fresh map where it is refused.
 */
export class BucketWriters {
  readonly #pools: Map<string, pg.Pool>;
  readonly #lanes: Promise<void>[];
  #router: Router | undefined;
  #stopped = false;
  readonly written: Written = { kept: new Set(), deleted: new Set() };
  /** ms that each write took. */
  readonly took: number[] = [];

  private constructor(topology: Topology, lanes: number) {
    this.#pools = new Map(
      topology.shards.map(({ name, primary }) => [
        name,
        new pg.Pool({ connectionString: primary, max: lanes, lock_timeout: 5_000 }),
      ]),
    );
    this.#lanes = Array.from({ length: lanes }, (_, lane) => this.#write(lane));
  }

  static start(topology: Topology, lanes = 4): BucketWriters {
    return new BucketWriters(topology, lanes);
  }

  /** Throws what a writer met with that it could not mend by asking for the map again. */
  async stop(): Promise<void> {
    this.#stopped = true;
    try {
      await Promise.all(this.#lanes);
    } finally {
      await Promise.all([...this.#pools.values()].map((pool) => pool.end()));
    }
  }

  async #write(lane: number): Promise<void> {
    for (let i = 0; !this.#stopped; i++) {
      const bucket = (i * 37 + lane * 11) % BUCKETS_WRITTEN;
      const begun = performance.now();
      const id = await this.#inBucket(
        bucket,
        `WITH made AS (SELECT next_id($1) AS id, next_id($1) AS author)
         INSERT INTO tweets (id, author_id, text) SELECT id, author, 'written ' || id FROM made RETURNING id`,
        [bucket],
      );
      this.took.push(performance.now() - begun);
      await sleep(REST_MS);
      if (i % 2 === 0) {
        this.written.kept.add(id);
        continue;
      }
      await this.#inBucket(bucket, "DELETE FROM tweets WHERE id = $1 RETURNING id", [id]);
      this.written.deleted.add(id);
    }
  }

  async #inBucket(bucket: number, text: string, values: unknown[]): Promise<string> {
    for (let tries = 0; ; tries++) {
      const router = this.#router ?? (await this.#newestMap());
      this.#router = router;
      const client = await this.#pools.get(router.shardOf({ bucket }))?.connect();
      if (!client) throw new Error("a shard of which the topology knows nothing");
      try {
        await client.query("BEGIN");
        await client.query("SELECT enter_write($1, $2)", [[bucket], router.epoch]);
        const { rows } = await client.query<{ id: string }>(text, values);
        await client.query("COMMIT");
        return rows[0]?.id ?? "nothing";
      } catch (error) {
        await client.query("ROLLBACK");
        if (sqlState(error) !== "RS001" || tries > 500) throw error;
        this.#router = undefined;
      } finally {
        client.release();
      }
    }
  }

  async #newestMap(): Promise<Router> {
    const answers = await Promise.all(
      [...this.#pools.values()].map((pool) =>
        pool.query<ShardMap>("SELECT epoch::float8, map AS shards FROM placement"),
      ),
    );
    const [newest] = answers.flatMap(({ rows }) => rows).sort((a, b) => b.epoch - a.epoch);
    if (!newest) throw new Error("no shard map");
    return new Router(newest);
  }
}
