import pg from "pg";
import { unavailable } from "../../services/contracts/errors.ts";

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
  /**
   * false: no statement is prepared by name, for a pooler that gives each transaction another server connection and does
   * not know of names (PgBouncer before 1.21).
   */
  prepare?: boolean;
}

/** Opens a pool whose every wait is bounded. `pipeline`: statements are sent without waiting for the one before. */
export function openPool(url: string, options: PoolOptions): pg.Pool {
  const { poolSize, application, patienceMs, prepare = true } = options;
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
  if (!prepare) unprepared.add(pool);
  // One that breaks while it is checked out fails its query; without a listener it would end the process as well.
  pool.on("connect", (client) => {
    client.on("error", () => {});
    if (!prepare) unprepared.add(client);
    // Postgres commits all the same when it gives up waiting for a standby, and says so in a warning.
    client.on("notice", ({ routine }) => {
      if (routine === "SyncRepWaitForLSN") unreplicated.add(client);
    });
  });
  return pool;
}

/** Pools, and their connections, that prepare nothing. */
const unprepared = new WeakSet<pg.Pool | pg.ClientBase>();

/** Whether statements may be prepared by name there. */
export function prepares(on: pg.Pool | pg.ClientBase): boolean {
  return !unprepared.has(on);
}

/** Connections whose COMMIT was not confirmed by a standby, although one has to. */
const unreplicated = new WeakSet<pg.ClientBase>();

/** Whether the latest commit on this connection is only on the primary, so that a failover may lose it; asked once. */
export function commitIsUnreplicated(client: pg.ClientBase): boolean {
  return unreplicated.delete(client);
}

/** No connection was to be had, so nothing of a transaction was sent. */
export class NotSent extends Error {
  override name = "NotSent";
}

/** SQLSTATEs that mean "this server cannot do it now": shutting down, starting, full, read-only, timed out. */
const TRANSIENT = new Set(["57P01", "57P02", "57P03", "53300", "25006", "57014", "55P03", "25P03"]);
const NETWORK = /^(ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|08)/;
const LOST =
  /timeout exceeded when trying to connect|Connection terminated|Query read timeout|not queryable|connection error|Client was closed|after calling end on the pool/;

export function sqlState(error: unknown): string | undefined {
  return Error.isError(error) && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** Whether an error means that the shard could not be reached or could not serve, rather than that the SQL is wrong. */
export function isOutage(error: unknown): boolean {
  if (!Error.isError(error)) return false;
  if (error instanceof NotSent) return true;
  const code = sqlState(error);
  return code ? TRANSIENT.has(code) || NETWORK.test(code) : LOST.test(error.message);
}

/** SQLSTATEs of a server that is not the primary any more: deposed, read-only, in recovery. */
const DEMOTED = new Set(["RS002", "25006", "55000"]);

/** Whether a write was refused because another server is, or should be, in charge: nothing of it was done. */
export function isDemoted(error: unknown): boolean {
  return DEMOTED.has(sqlState(error) ?? "");
}

/** Turns an outage, or a map that no refresh makes fit, into the catalogue's 503; hands any other error back as it is. */
export function translate(error: unknown, shard: string): unknown {
  if (!isOutage(error) && !isDemoted(error) && sqlState(error) !== "RS001") return error;
  const translated = unavailable(`Database shard ${shard}`);
  translated.cause = error;
  return translated;
}
