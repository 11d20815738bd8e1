import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import { isOutage } from "./pools.ts";
import type { ShardServer } from "./server.ts";
import type { SessionView } from "./session.ts";
import type { Reader } from "./shard.ts";
import { run, type Statement, sql } from "./sql.ts";

/** A replica that has not replayed what it must have is asked again after so long, in ms, so many times. */
const REPLAY_WAIT_MS = 4;
const REPLAY_LOOKS = 4;

/** Where a primary is, in the shard map and in its WAL. */
export interface State {
  epoch: number;
  position: string;
  timeline: number;
  deposed: boolean;
}

export const STATE: Statement<State> = sql`
  SELECT epoch::float8, pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0') AS position, wal_timeline() AS timeline,
         deposed_by IS NOT NULL AS deposed
  FROM placement`;

/** A read was routed by a map that has been replaced since. */
export class StaleMap extends Error {
  override name = "StaleMap";
}

/** Throws StaleMap where buckets may have moved since a read was routed, an outage where another server took over. */
export function requireUnchanged(now: State | undefined, epoch: number, timeline: number): State {
  if (!now || now.deposed || now.timeline !== timeline)
    throw new Error("Connection terminated: this server is not in charge any more");
  if (now.epoch > epoch) throw new StaleMap();
  return now;
}

const REPLAYED: Statement<{ position: string }> = sql`
  SELECT pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0') AS position`;

/** Reads on a replica; undefined where that lacks what it must have. What a session sees there it has reached. */
export async function readReplica<Row>(
  { server, unlessBelow, marksOn }: Reader,
  statement: Statement<Row>,
  session: SessionView | undefined,
  shard: string,
): Promise<Row[] | undefined> {
  if (unlessBelow === undefined && marksOn === undefined) return run(server.read, statement);
  return onOneConnection(server.read, async (client) => {
    const [[before], rows, [after]] = await Promise.all([
      run(client, REPLAYED),
      run(client, statement),
      run(client, REPLAYED),
    ]);
    if (Number(before?.position) < (unlessBelow ?? 0)) return undefined;
    if (marksOn !== undefined)
      session?.reached(shard, { timeline: marksOn, position: Number(after?.position) });
    return rows;
  });
}

/**
 * Reads on a replica what is true by now: it must have replayed all that the primary had written, up to `position`, when it was
 * asked (after Raft's ReadIndex; Ongaro, *Consensus*, 2014, 6.4). Undefined where it has not, a moment later either.
 */
export function readUpTo<Row>(
  { read }: ShardServer,
  statement: Statement<Row>,
  position: number,
): Promise<Row[] | undefined> {
  return onOneConnection(read, async (client) => {
    for (let looks = 0; looks < REPLAY_LOOKS; looks++) {
      if (looks > 0) await sleep(REPLAY_WAIT_MS);
      const [now] = await run(client, REPLAYED);
      if (Number(now?.position) >= position) return run(client, statement);
    }
    return undefined;
  });
}

/** Statements that are to see the server in this order. */
export async function onOneConnection<T>(
  pool: pg.Pool,
  work: (client: pg.PoolClient) => Promise<T>,
): Promise<T> {
  const client = await pool.connect();
  try {
    const result = await work(client);
    client.release();
    return result;
  } catch (error) {
    client.release(isOutage(error));
    throw error;
  }
}
