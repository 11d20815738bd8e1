import type pg from "pg";
import type { Topology } from "../../config/topology.ts";
import { unavailable } from "../../services/contracts/errors.ts";
import { bucketOf } from "./ids.ts";
import { type PoolOptions, ShardPools, sqlState, translate } from "./pools.ts";
import { bucketFor, type Placement, Router, type ShardMap } from "./router.ts";
import { mergeById, scatter } from "./scatter.ts";
import { type Snapshots, takeSnapshots } from "./snapshots.ts";
import { run, type Statement, sql } from "./sql.ts";

export type { Placement } from "./router.ts";
export { sql } from "./sql.ts";

const SCATTER_WIDTH = 16;
const TRIES = 4;
/** What a second try can mend: a stale map, a deadlock, a serialization failure. */
const RETRIED = new Set(["RS001", "40P01", "40001"]);

/** One transaction on one shard; every statement runs in it. */
export interface Tx {
  readonly shard: string;
  query<Row>(statement: Statement<Row>): Promise<Row[]>;
  /** Enters the buckets of further ids before rows of theirs are written. */
  enter(ids: string[]): Promise<void>;
  /** The same for rows that name their bucket. */
  enterBuckets(buckets: number[]): Promise<void>;
}

export interface ReadOptions {
  /** "replica" may answer from the recent past. Default: the primary. */
  from?: "primary" | "replica";
}

/**
 * All shards as one database. Every call says what it routes by; writes go through the fence of their buckets
 * (`enter_write`). A shard that cannot be reached answers with a 503 within bounded time (see TIMEOUTS).
 */
export class ShardDb {
  readonly #pools: Map<string, ShardPools>;
  #router: Router | undefined;

  constructor(topology: Topology, options: PoolOptions) {
    this.#pools = new Map(topology.shards.map((shard) => [shard.name, new ShardPools(shard, options)]));
  }

  /** Learns the shard map and starts watching the replicas. Throws 503 where no shard answers. */
  async open(): Promise<void> {
    await this.refreshMap();
    await Promise.all([...this.#pools.values()].map((pools) => pools.replicas.watch()));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#pools.values()].map((pools) => pools.close()));
  }

  get router(): Router {
    if (!this.#router) throw new Error("ShardDb is not open yet");
    return this.#router;
  }

  get shards(): string[] {
    return this.router.shards;
  }

  shardOf(at: Placement): string {
    return this.router.shardOf(at);
  }

  /** Takes the map of the highest epoch that any shard holds. */
  async refreshMap(): Promise<void> {
    const answers = await Promise.allSettled(
      [...this.#pools.values()].map(({ read }) =>
        read.query<ShardMap>("SELECT epoch::int, map AS shards FROM placement"),
      ),
    );
    const maps = answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value.rows : []));
    const newest = maps.sort((a, b) => b.epoch - a.epoch)[0];
    if (!newest) throw unavailable("The shard map");
    this.#router = new Router(newest);
  }

  /** Runs one reading statement on the shard of `at`. */
  read<Row>(at: Placement, statement: Statement<Row>, options: ReadOptions = {}): Promise<Row[]> {
    return this.readShard(this.shardOf(at), statement, options);
  }

  /** Runs one reading statement on a shard that is known by name. */
  async readShard<Row>(shard: string, statement: Statement<Row>, options: ReadOptions = {}): Promise<Row[]> {
    const pools = this.#poolsOf(shard);
    const replica = options.from === "replica" ? pools.replicas.next() : undefined;
    if (replica) {
      try {
        return await run(replica, statement);
      } catch {
        pools.replicas.drop(replica);
      }
    }
    try {
      return await run(pools.read, statement);
    } catch (error) {
      throw translate(error, shard);
    }
  }

  /** Asks each shard for its part of `ids`, in parallel; the rows come in no particular order. */
  async readByIds<Row>(
    ids: Iterable<string>,
    statement: (ids: string[]) => Statement<Row>,
    options: ReadOptions = {},
  ): Promise<Row[]> {
    const groups = this.router.group(new Set(ids));
    const parts = await scatter(groups, SCATTER_WIDTH, ([shard, group]) =>
      this.readShard(shard, statement(group), options),
    );
    return parts.flat();
  }

  /** Asks the shards of `ids` and merges their rows by id, newest first, at most `limit`. */
  async mergeByIds<Row extends { id: string }>(
    ids: Iterable<string>,
    limit: number,
    statement: (ids: string[]) => Statement<Row>,
    options: ReadOptions = {},
  ): Promise<Row[]> {
    return mergeById([await this.readByIds(ids, statement, options)], limit);
  }

  /** Asks every shard; the rows come in no particular order. */
  async readAll<Row>(statement: Statement<Row>, options: ReadOptions = {}): Promise<Row[]> {
    const parts = await scatter(this.shards, SCATTER_WIDTH, (shard) =>
      this.readShard(shard, statement, options),
    );
    return parts.flat();
  }

  /** Every shard's primary as of one moment (see takeSnapshots); the caller closes them. Throws 503. */
  snapshots(): Promise<Snapshots> {
    return takeSnapshots(this.shards.map((shard) => this.#poolsOf(shard)));
  }

  /** Runs one writing statement in a transaction of its own, in a single round trip. */
  write<Row>(at: Placement, statement: Statement<Row>): Promise<Row[]> {
    return this.#attempt(
      () => this.shardOf(at),
      [bucketFor(at)],
      async (client, entered) => {
        const rows = run(client, statement);
        const committed = client.query("COMMIT");
        const [, result] = await Promise.all([entered, rows, committed]);
        return result;
      },
    );
  }

  /**
   * Runs `work` in one transaction on the shard of `at` (several placements must share it) and commits. Retried as a
   * whole on a stale map, a deadlock or an id taken twice, so `work` must have no effects outside the transaction.
   */
  transaction<T>(at: Placement | Placement[], work: (tx: Tx) => Promise<T>): Promise<T> {
    const placements = Array.isArray(at) ? at : [at];
    const [shard, ...others] = new Set(placements.map((placement) => this.shardOf(placement)));
    if (!shard || others.length > 0) throw new Error("a transaction stays on one shard");
    return this.#attempt(
      () => this.shardOf(placements[0] as Placement),
      placements.map(bucketFor),
      commit(work),
    ); // not empty
  }

  /**
   * The same on a shard known by name, for work that finds its rows there: it enters their buckets with `tx.enter`
   * before it writes them.
   */
  transactionOn<T>(shard: string, work: (tx: Tx) => Promise<T>): Promise<T> {
    return this.#attempt(() => shard, [], commit(work));
  }

  get hasReplicas(): boolean {
    return [...this.#pools.values()].some(({ replicas }) => replicas.size > 0);
  }

  /** How each replica of each shard stands. */
  replicaStates() {
    return [...this.#pools.values()].flatMap(({ name, replicas }) =>
      replicas.states().map((state) => ({ shard: name, ...state })),
    );
  }

  /** Which shards answer, within the connect time-out. */
  async ping(): Promise<{ shard: string; ok: boolean }[]> {
    return Promise.all(
      [...this.#pools.values()].map(({ name, read }) =>
        read.query("SELECT 1").then(
          () => ({ shard: name, ok: true }),
          () => ({ shard: name, ok: false }),
        ),
      ),
    );
  }

  #poolsOf(shard: string): ShardPools {
    const pools = this.#pools.get(shard);
    if (!pools) throw unavailable(`Database shard ${shard}, which the topology file does not name,`);
    return pools;
  }

  async #attempt<T>(shardNow: () => string, buckets: number[], body: Body<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      const shard = shardNow();
      try {
        return await this.#enter(shard, buckets, body);
      } catch (error) {
        if (tries === TRIES || !isRetried(error)) throw translate(error, shard);
        if (sqlState(error) === "RS001") await this.refreshMap();
      }
    }
  }

  async #enter<T>(shard: string, buckets: number[], body: Body<T>): Promise<T> {
    const client = await this.#poolsOf(shard).write.connect();
    // Sent ahead of the first statement without waiting: the connection is pipelined.
    const entered = Promise.all([client.query("BEGIN"), run(client, enterWrite(buckets, this.router.epoch))]);
    entered.catch(() => {});
    try {
      const result = await body(client, entered, { shard, epoch: this.router.epoch });
      client.release();
      return result;
    } catch (error) {
      // After a failed fence the statements behind it only report an aborted transaction.
      const cause = await entered.then(
        () => error,
        (fence: unknown) => fence,
      );
      await client.query("ROLLBACK").then(
        () => client.release(),
        () => client.release(true),
      );
      throw cause;
    }
  }
}

type Body<T> = (
  client: pg.PoolClient,
  entered: Promise<unknown>,
  at: { shard: string; epoch: number },
) => Promise<T>;

const enterWrite = (buckets: number[], epoch: number): Statement<never> =>
  sql`SELECT enter_write(${buckets}, ${epoch})`;

/** Runs the work, waits for the fence that was sent ahead of it, and commits. */
function commit<T>(work: (tx: Tx) => Promise<T>): Body<T> {
  return async (client, entered, { shard, epoch }) => {
    const enterBuckets = async (buckets: number[]) => void (await run(client, enterWrite(buckets, epoch)));
    const result = await work({
      shard,
      query: (statement) => run(client, statement),
      enter: (ids) => enterBuckets(ids.map(bucketOf)),
      enterBuckets,
    });
    await entered;
    await sendCommit(client);
    return result;
  };
}

/** Postgres answers the COMMIT of a transaction in which something failed with a ROLLBACK, not with an error. */
async function sendCommit(client: pg.PoolClient): Promise<void> {
  const { command } = await client.query("COMMIT");
  if (command !== "COMMIT") throw new Error(`the transaction ended in a ${command}`);
}

function isRetried(error: unknown): boolean {
  const code = sqlState(error);
  if (code === "23505")
    return Error.isError(error) && "constraint" in error && isIdConstraint(error.constraint);
  return code !== undefined && RETRIED.has(code);
}

/** Primary keys that are a fresh id: taken twice only where a clock went back. */
function isIdConstraint(constraint: unknown): boolean {
  return ["tweets_pkey", "users_pkey", "outbox_pkey", "counter_deltas_pkey"].some(
    (name) => name === constraint,
  );
}
