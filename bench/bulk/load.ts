import type { Topology } from "../../config/topology.ts";
import { BUCKETS } from "../../config/topology.ts";
import { ShardDb } from "../../mixins/shard-db/index.ts";
import { hashPassword } from "../../services/user/account/passwords.ts";
import { type Progress, showProgress } from "../load/progress.ts";
import { ShardLoad } from "./bulk.repo.ts";
import type { CopyWriter } from "./copy.ts";
import type { FollowGraph } from "./graph.ts";
import { IdSeries, type Span } from "./ids.ts";
import { People } from "./people.ts";
import { allRows, type Rows } from "./rows.ts";

export interface BulkOptions {
  graph: FollowGraph;
  /** How many tweets in all. */
  tweets: number;
  /** Of who tweets. */
  seed: number;
  /** Everybody's. */
  password: string;
  /** What usernames begin with; a position follows. */
  prefix: string;
  /** Beside what is there, instead of into empty databases. */
  add: boolean;
  /** Shows how far a phase is. */
  progress?: (phase: string, total: number, unit: string) => Progress;
}

const DAY = 86_400_000;
/** Nothing loaded is younger, so that whatever comes next is newer. */
const AGO = 60_000;
const SEQUENCES = 4096;
const SHOWN_EVERY = 20_000;

/**
 * Loads people, follows and tweets straight into the shards, as the services would have made them in the last 90 days:
 * ids in the right buckets, mirrors with the ids of their edges, counters, no jobs left to do. Each shard gets all of it
 * or nothing, and none gets any where something fails before the last one is ready. Throws NotEmpty, 503 where no shard
 * answers, and what Postgres says against a row.
 */
export async function bulkLoad(topology: Topology, options: BulkOptions): Promise<People> {
  const { graph, tweets, seed, prefix, add, progress = showProgress } = options;
  const passwordHash = await hashPassword(options.password);
  const sequence = Math.floor(Math.random() * SEQUENCES);
  const people = new People(graph.people, prefix, daysAgo(90, 60), sequence);
  const followIds = new IdSeries(daysAgo(60, 30), graph.follower.length, sequence);
  const tweetIds = new IdSeries(daysAgo(30, 0), tweets, sequence);
  const shards = new Shards();
  try {
    await shards.begin(topology, add);
    for (const rows of allRows({ graph, people, followIds, tweetIds, tweets, seed, passwordHash })) {
      await shards.copy(rows, progress(rows.table, rows.items, "rows"));
    }
    await shards.makeIndexes(progress);
    await shards.commit();
    return people;
  } finally {
    await shards.close();
  }
}

function daysAgo(from: number, until: number): Span {
  const end = Date.now() - AGO;
  return { from: end - from * DAY, until: end - until * DAY };
}

/** The loads of all shards, side by side. */
class Shards {
  #loads: ShardLoad[] = [];
  /** Position among the loads, by bucket. */
  readonly #shardOf = new Uint16Array(BUCKETS);

  async begin(topology: Topology, add: boolean): Promise<void> {
    const db = new ShardDb(topology, { poolSize: 1, application: "bulk" });
    try {
      await db.open();
      const { epoch } = db.router;
      for (const shard of topology.shards) {
        const buckets = [...this.#shardOf.keys()].filter((bucket) => db.shardOf({ bucket }) === shard.name);
        for (const bucket of buckets) this.#shardOf[bucket] = this.#loads.length;
        this.#loads.push(await ShardLoad.begin(shard, { epoch, buckets, add }));
      }
    } finally {
      await db.close();
    }
  }

  async copy({ table, items, write }: Rows, progress: Progress): Promise<void> {
    const writers = this.#loads.map((load) => load.copy(table));
    const to = (bucket: number): CopyWriter => {
      const writer = writers[this.#shardOf[bucket] ?? 0];
      if (!writer) throw new Error("no shard");
      return writer;
    };
    for (let i = 0; i < items; i++) {
      write(i, to);
      for (const writer of writers) if (writer.isFull) await writer.flush();
      if (i % SHOWN_EVERY === 0) progress.update(i);
    }
    await Promise.all(writers.map((writer) => writer.end()));
    progress.update(items);
    progress.end();
  }

  async makeIndexes(show: NonNullable<BulkOptions["progress"]>): Promise<void> {
    const total = this.#loads.reduce((sum, { indexes }) => sum + indexes.length, 0);
    if (total === 0) return;
    const progress = show("indexes", total, "indexes");
    let made = 0;
    await Promise.all(
      this.#loads.map(async (load) => {
        for (const index of load.indexes) {
          await load.makeIndex(index);
          progress.update(++made);
        }
      }),
    );
    progress.end();
  }

  async commit(): Promise<void> {
    for (const load of this.#loads) await load.commit();
    await Promise.all(this.#loads.map((load) => load.analyze()));
  }

  async close(): Promise<void> {
    await Promise.all(this.#loads.map((load) => load.close()));
  }
}
