import type pg from "pg";
import { bucketOf } from "./ids.ts";
import { commitIsUnreplicated, isOutage, NotSent, sqlState } from "./pools.ts";
import { WRITTEN } from "./server.ts";
import { run, type Statement, sql } from "./sql.ts";

/** What a second try can mend: a stale map, a deadlock, a serialization failure. */
const RETRIED = new Set(["RS001", "40P01", "40001"]);

/** One transaction on one shard; every statement runs in it. */
export interface Tx {
  readonly shard: string;
  query<Row>(statement: Statement<Row>): Promise<Row[]>;
  /** Whether the bucket of an id was entered when this began: then it is here, and stays until the end. */
  has(id: string): boolean;
  /** Enters the buckets of further ids before rows of theirs are written. */
  enter(ids: string[]): Promise<void>;
  /** The same for rows that name their bucket. */
  enterBuckets(buckets: number[]): Promise<void>;
}

/** Where a transaction is: its shard, and by which map and primary it was routed. */
export interface At {
  shard: string;
  epoch: number;
  timeline: number;
}

/** The transaction that a body runs in: its fence, which was sent ahead of it, and what ends it. */
export interface Open {
  entered: Promise<unknown>;
  at: At;
  /** Those that it entered as it began. */
  buckets: readonly number[];
  /** Sends the COMMIT; what was sent before need not have been answered yet. */
  commit: () => Promise<void>;
}

export type Body<T> = (client: pg.PoolClient, open: Open) => Promise<T>;

/**
 * Runs a body in a transaction that has entered its buckets. `reached`: told how far the primary has written once it is
 * committed. Throws NotSent, and what the fence, the body or the commit throw.
 */
export async function transact<T>(
  pool: pg.Pool,
  buckets: number[],
  at: At,
  reached: ((position: number) => void) | undefined,
  body: Body<T>,
): Promise<T> {
  const client = await pool.connect().catch((error: unknown) => {
    throw isOutage(error) ? new NotSent("no connection", { cause: error }) : error;
  });
  // Sent ahead of the first statement without waiting: the connection is pipelined.
  const entered = Promise.all([client.query("BEGIN"), run(client, enterWrite(buckets, at))]);
  entered.catch(() => {});
  try {
    const result = await body(client, { entered, at, buckets, commit: () => sendCommit(client, reached) });
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

const enterWrite = (buckets: number[], { epoch, timeline }: At): Statement<never> =>
  sql`SELECT enter_write(${buckets}, ${epoch}, ${timeline})`;

/** Runs the work, waits for the fence that was sent ahead of it, and commits. */
export function inTransaction<T>(work: (tx: Tx) => Promise<T>): Body<T> {
  return async (client, { entered, at, buckets: begun, commit }) => {
    const enterBuckets = async (buckets: number[]) => void (await run(client, enterWrite(buckets, at)));
    const result = await work({
      shard: at.shard,
      query: (statement) => run(client, statement),
      has: (id) => begun.includes(bucketOf(id)),
      enter: (ids) => enterBuckets(ids.map(bucketOf)),
      enterBuckets,
    });
    await entered;
    await commit();
    return result;
  };
}

/**
 * Postgres answers the COMMIT of a transaction in which something failed with a ROLLBACK, not with an error, and one that no
 * standby has confirmed with a warning. `reached`: told how far the primary has written by then.
 */
async function sendCommit(
  client: pg.PoolClient,
  reached: ((position: number) => void) | undefined,
): Promise<void> {
  const [{ command }, after] = await Promise.all([
    client.query("COMMIT"),
    reached && client.query<{ position: string }>(WRITTEN),
  ]);
  if (command !== "COMMIT") throw new Error(`the transaction ended in a ${command}`);
  if (commitIsUnreplicated(client)) throw new Error("Connection terminated: no standby confirmed the commit");
  const [written] = after?.rows ?? [];
  if (written) reached?.(Number(written.position));
}

/** Whether a transaction that failed so may be run again: nothing of it was committed. */
export function isRetried(error: unknown): boolean {
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
