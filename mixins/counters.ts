import { Periodic } from "./periodic.ts";
import { type ShardDb, sql } from "./shard-db/index.ts";

const EVERY_MS = 2_000;
const BATCH = 5_000;

/**
 * Folds counter deltas into counters on every shard, every two seconds. Any number of processes may do so: each delta
 * is taken once, and a reader sees the same value before and after.
 */
export class CounterFold {
  readonly #db: ShardDb;
  readonly #periodic: Periodic;

  constructor(db: ShardDb) {
    this.#db = db;
    this.#periodic = new Periodic(EVERY_MS, () =>
      Promise.allSettled(db.shards.map((shard) => this.foldAll(shard))),
    );
  }

  start(): void {
    this.#periodic.start();
  }

  stop(): Promise<void> {
    return this.#periodic.stop();
  }

  /** Folds everything that is pending on a shard now. */
  async foldAll(shard: string): Promise<void> {
    while ((await this.#fold(shard)) === BATCH) {}
  }

  /** Takes the oldest deltas; one that another process has taken meanwhile is skipped by fold_counters. */
  #fold(shard: string): Promise<number> {
    return this.#db.transactionOn(shard, async (tx) => {
      const [, pending] = await Promise.all([
        tx.query(sql`SET LOCAL synchronous_commit TO off`),
        tx.query(sql<{ id: string }>`
          SELECT id FROM counter_deltas WHERE (SELECT owned FROM placement) @> bucket_of(id)
          ORDER BY id LIMIT ${BATCH}`),
      ]);
      const ids = pending.map(({ id }) => id);
      if (ids.length > 0) {
        await tx.enter(ids);
        const [folded] = await tx.query(sql<{ n: string }>`SELECT fold_counters(${ids}) AS n`);
        return Number(folded?.n);
      }
      return 0;
    });
  }
}
