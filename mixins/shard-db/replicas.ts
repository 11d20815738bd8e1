import type pg from "pg";

/** A replica that is further behind than this leaves the rotation, in bytes of WAL. */
export const MAX_LAG_BYTES = 16 * 1024 * 1024;
const CHECK_EVERY_MS = 1_000;

export interface ReplicaState {
  /** host:port, without credentials. */
  address: string;
  inRotation: boolean;
  lagBytes: number;
  lagSeconds: number;
}

interface Replica extends ReplicaState {
  pool: pg.Pool;
}

/**
 * The replicas of one shard: watches how far behind each is, hands out those that are near enough in turn. One that is
 * down or lags leaves the rotation and comes back by itself.
 */
export class ReplicaSet {
  readonly #replicas: Replica[];
  readonly #primary: pg.Pool;
  #timer: NodeJS.Timeout | undefined;
  #turn = 0;

  constructor(urls: string[], primary: pg.Pool, open: (url: string) => pg.Pool) {
    this.#primary = primary;
    this.#replicas = urls.map((url) => {
      const { hostname, port } = new URL(url);
      return {
        address: `${hostname}:${port || 5432}`,
        inRotation: false,
        lagBytes: 0,
        lagSeconds: 0,
        pool: open(url),
      };
    });
  }

  get size(): number {
    return this.#replicas.length;
  }

  /** Checks all replicas once, then every second. */
  async watch(): Promise<void> {
    if (this.#replicas.length === 0) return;
    await this.check();
    this.#timer = setInterval(() => void this.check(), CHECK_EVERY_MS).unref();
  }

  /** Measures every replica's lag against the primary and decides which serve. Never throws. */
  async check(): Promise<void> {
    const head = await this.#primary
      .query<{ lsn: string }>("SELECT pg_current_wal_lsn() lsn")
      .then(({ rows }) => rows[0]?.lsn ?? null)
      .catch(() => null);
    await Promise.all(this.#replicas.map((replica) => this.#measure(replica, head)));
  }

  async #measure(replica: Replica, head: string | null): Promise<void> {
    try {
      const { rows } = await replica.pool.query<{ bytes: string | null; seconds: string | null }>(
        `SELECT pg_wal_lsn_diff($1::pg_lsn, pg_last_wal_replay_lsn()) bytes,
                CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
                     ELSE extract(epoch FROM now() - pg_last_xact_replay_timestamp()) END seconds`,
        [head],
      );
      replica.lagBytes = Math.max(0, Number(rows[0]?.bytes ?? 0));
      replica.lagSeconds = Math.max(0, Number(rows[0]?.seconds ?? 0));
      replica.inRotation = replica.lagBytes <= MAX_LAG_BYTES;
    } catch {
      replica.inRotation = false;
    }
  }

  /** The next replica in rotation; undefined where none is fit to serve. */
  next(): pg.Pool | undefined {
    const fit = this.#replicas.filter((replica) => replica.inRotation);
    return fit[this.#turn++ % Math.max(1, fit.length)]?.pool;
  }

  /** Takes a replica whose query failed out of the rotation until the next check. */
  drop(pool: pg.Pool): void {
    const replica = this.#replicas.find((candidate) => candidate.pool === pool);
    if (replica) replica.inRotation = false;
  }

  states(): ReplicaState[] {
    return this.#replicas.map(({ pool: _, ...state }) => state);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#replicas.map(({ pool }) => pool.end()));
  }
}
