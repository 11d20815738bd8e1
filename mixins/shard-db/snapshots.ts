import type pg from "pg";
import { translate } from "./pools.ts";
import { run, type Statement } from "./sql.ts";

/** One shard as of the moment of its snapshot; statements run one after the other. */
export interface Snapshot {
  readonly shard: string;
  /** Throws 503 where the shard is away by now. */
  query<Row>(statement: Statement<Row>): Promise<Row[]>;
}

export interface Snapshots {
  shards: Snapshot[];
  /** Ends the transactions; does not throw. */
  close(): Promise<void>;
}

/**
 * A read-only REPEATABLE READ transaction on each shard's primary, all begun at the same time: a statement sees its shard
 * as it was then, however late it runs, and what differs between shards is only what was committed in the milliseconds
 * between them. Throws 503 where a shard cannot be reached; nothing is left open then.
 */
export async function takeSnapshots(pools: { name: string; read: pg.Pool }[]): Promise<Snapshots> {
  const connected = await Promise.allSettled(
    pools.map(async ({ name, read }) => ({ shard: name, client: await read.connect() })),
  );
  const open = connected.flatMap((result) => (result.status === "fulfilled" ? result.value : []));
  const close = async () => void (await Promise.all(open.map(({ client }) => end(client))));
  try {
    connected.forEach((result, i) => {
      if (result.status === "rejected") throw translate(result.reason, pools[i]?.name ?? "");
    });
    await Promise.all(open.map(({ shard, client }) => begin(client).catch(rethrow(shard))));
  } catch (error) {
    await close();
    throw error;
  }
  const shards = open.map(({ shard, client }) => ({
    shard,
    query: <Row>(statement: Statement<Row>) => run(client, statement).catch(rethrow(shard)),
  }));
  return { shards, close };
}

/** The snapshot is taken by the first statement, not by BEGIN. */
async function begin(client: pg.PoolClient): Promise<void> {
  await Promise.all([
    client.query("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"),
    client.query("SELECT 1"),
  ]);
}

async function end(client: pg.PoolClient): Promise<void> {
  await client.query("ROLLBACK").then(
    () => client.release(),
    () => client.release(true),
  );
}

function rethrow(shard: string): (error: unknown) => never {
  return (error) => {
    throw translate(error, shard);
  };
}
