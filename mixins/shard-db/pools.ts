import pg from "pg";
import type { ShardConfig } from "../../config/topology.ts";
import { unavailable } from "../../services/contracts/errors.ts";
import { ReplicaSet } from "./replicas.ts";

/** Bounds on everything that waits for Postgres, in ms. */
export const TIMEOUTS = {
  connect: 2_000,
  statement: 10_000,
  lock: 5_000,
  idleInTransaction: 45_000,
} as const;

export interface PoolOptions {
  poolSize: number;
  /** How the connections are named in pg_stat_activity. */
  application: string;
  /** How long a statement may take and a transaction may wait for its next one, for work that no request waits for. */
  patienceMs?: number;
}

/** Opens a pool whose every wait is bounded. `pipeline`: statements are sent without waiting for the one before. */
export function openPool(url: string, { poolSize, application, patienceMs }: PoolOptions): pg.Pool {
  const statement = patienceMs ?? TIMEOUTS.statement;
  const pool = new pg.Pool({
    connectionString: url,
    max: poolSize,
    application_name: application,
    connectionTimeoutMillis: TIMEOUTS.connect,
    idleTimeoutMillis: 60_000,
    statement_timeout: statement,
    query_timeout: statement + 2_000,
    lock_timeout: TIMEOUTS.lock,
    idle_in_transaction_session_timeout: patienceMs ?? TIMEOUTS.idleInTransaction,
    keepAlive: true,
    pipeline: true,
  });
  // An idle connection that breaks is dropped by the pool; the next query opens another or fails with its own error.
  pool.on("error", () => {});
  // One that breaks while it is checked out fails its query; without a listener it would end the process as well.
  pool.on("connect", (client) => client.on("error", () => {}));
  return pool;
}

/**
 * The connections to one shard. Transactions and plain reads have a pool each, so that a transaction which reads from
 * another shard never waits for a connection that is held by another such transaction.
 */
export class ShardPools {
  readonly name: string;
  readonly write: pg.Pool;
  readonly read: pg.Pool;
  readonly replicas: ReplicaSet;

  constructor(config: ShardConfig, options: PoolOptions) {
    this.name = config.name;
    this.write = openPool(config.primary, options);
    this.read = openPool(config.primary, options);
    this.replicas = new ReplicaSet(config.replicas, this.read, (url) => openPool(url, options));
  }

  async close(): Promise<void> {
    await this.replicas.close();
    await Promise.all([this.write.end(), this.read.end()]);
  }
}

/** SQLSTATEs that mean "this server cannot do it now": shutting down, starting, full, read-only, timed out. */
const TRANSIENT = new Set(["57P01", "57P02", "57P03", "53300", "25006", "57014", "55P03", "25P03"]);
const NETWORK = /^(ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|08)/;
const LOST =
  /timeout exceeded when trying to connect|Connection terminated|Query read timeout|not queryable|connection error|Client was closed/;

export function sqlState(error: unknown): string | undefined {
  return Error.isError(error) && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** Whether an error means that the shard could not be reached or could not serve, rather than that the SQL is wrong. */
export function isOutage(error: unknown): boolean {
  if (!Error.isError(error)) return false;
  const code = sqlState(error);
  return code ? TRANSIENT.has(code) || NETWORK.test(code) : LOST.test(error.message);
}

/** Turns an outage into the catalogue's 503; hands any other error back as it is. */
export function translate(error: unknown, shard: string): unknown {
  if (!isOutage(error)) return error;
  const translated = unavailable(`Database shard ${shard}`);
  translated.cause = error;
  return translated;
}
