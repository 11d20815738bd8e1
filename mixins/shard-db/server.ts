import { performance } from "node:perf_hooks";
import pg from "pg";
import { openPool, type PoolOptions, sqlState, TIMEOUTS } from "./pools.ts";

/** A place in a shard's WAL: positions (bytes) compare within a timeline, which grows with each promotion. */
export interface WalPosition {
  timeline: number;
  position: number;
}

/** What a server says of itself. */
export interface Look extends WalPosition {
  /** When it was asked: ms on this process's monotonic clock. */
  askedAt: number;
  role: "primary" | "replica";
  /** Of a primary: written; of a replica: replayed. */
  position: number;
  /** Its placement; null before the schema has been made there. */
  shard: string | null;
  epoch: number;
  /** Whether buckets may leave any moment. */
  leaving: boolean;
  /** The timeline of who took over from it. */
  deposedBy: number | null;
}

/** How long a server may leave everything that it is asked unanswered before it counts as hung, in ms. */
const HUNG_AFTER_MS = 2_000;
/** How long it may leave a look unanswered while it answers others, in ms. */
const UNHEARD_AFTER_MS = 3_000;
const TOO_MANY_CONNECTIONS = "53300";

class Hung extends Error {}
class Unheard extends Error {}

/** A timer this late tells that this process stood still, not the server. */
const LATE_MS = 250;

const LOOK = `
  SELECT p.shard, p.epoch::float8, NOT isempty(p.leaving) AS leaving, p.deposed_by AS "deposedBy", replica,
    CASE WHEN replica THEN coalesce((SELECT received_tli FROM pg_stat_wal_receiver),
           (SELECT greatest(c.timeline_id, r.min_recovery_end_timeline) FROM pg_control_checkpoint() c, pg_control_recovery() r))
         ELSE wal_timeline() END AS timeline,
    pg_wal_lsn_diff(CASE WHEN replica THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, '0/0') AS position
  FROM pg_is_in_recovery() AS replica LEFT JOIN placement p ON true`;

/** The position that a primary has written up to. */
export const WRITTEN = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0') AS position";

/**
 * One Postgres server: connections for transactions and for plain reads, so that a transaction which reads from another
 * shard never waits for a connection that is held by another such transaction, and one more to look at it. Whoever waits
 * for a server that is given up is told at once; that is what bounds requests to a server that hangs.
 */
export class ShardServer {
  readonly url: string;
  /** host:port, without credentials. */
  readonly address: string;
  /** What it last said; undefined while it does not answer. */
  look: Look | undefined;
  readonly #options: PoolOptions;
  readonly #waiting = new Set<(error: Error) => void>();
  #write: pg.Pool | undefined;
  #read: pg.Pool | undefined;
  #eye: pg.Client | undefined;
  #asking: Promise<void> | undefined;
  #answeredAt = 0;
  #closed = false;

  constructor(url: string, options: PoolOptions) {
    const { hostname, port } = new URL(url);
    this.url = url;
    this.address = `${hostname}:${port || 5432}`;
    this.#options = options;
  }

  get write(): pg.Pool {
    this.#write ??= openPool(this.url, this.#options);
    return this.#write;
  }

  get read(): pg.Pool {
    this.#read ??= openPool(this.url, this.#options);
    return this.#read;
  }

  /** Waits for work on this server, as long as the server is not given up. Throws what the work throws, or an outage. */
  within<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.add(reject);
      work.then(
        (result) => {
          this.#waiting.delete(reject);
          this.#answeredAt = performance.now();
          resolve(result);
        },
        (error) => {
          this.#waiting.delete(reject);
          reject(error);
        },
      );
    });
  }

  /** Asks the server for its state; `look` has the answer. Never throws. */
  ask(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async close(): Promise<void> {
    this.#closed = true;
    const eye = this.#eye;
    this.#eye = undefined;
    await Promise.allSettled([eye?.end(), this.#write?.end(), this.#read?.end()]);
  }

  async #ask(): Promise<void> {
    let failure: unknown;
    // A connection that broke tells nothing of the server before another one has been tried.
    for (let tries = 0; tries < 2 && !this.#closed; tries++) {
      const askedAt = performance.now();
      try {
        const { replica, timeline, position, ...rest } = await this.#unlessHung(this.#row());
        this.#answeredAt = performance.now();
        const role = replica ? "replica" : "primary";
        this.look = { ...rest, role, timeline, position: Number(position), askedAt };
        return;
      } catch (error) {
        failure = error;
        this.#dropEye();
        if (error instanceof Hung) break;
      }
    }
    // It answers others, but has no place for this question: what it last said grows old.
    if (failure instanceof Unheard || sqlState(failure) === TOO_MANY_CONNECTIONS) return;
    this.#giveUp(failure);
  }

  async #row(): Promise<LookRow> {
    this.#eye ??= await this.#openEye();
    const { rows } = await this.#eye.query<LookRow>(LOOK);
    if (!rows[0]) throw new Error("no answer");
    return rows[0];
  }

  async #openEye(): Promise<pg.Client> {
    const eye = new pg.Client({
      connectionString: this.url,
      application_name: this.#options.application,
      connectionTimeoutMillis: TIMEOUTS.connect,
      keepAlive: true,
    });
    eye.on("error", () => {});
    // It may have been restarted, with less than it had.
    eye.once("end", () => {
      if (this.#eye !== eye) return;
      this.#eye = undefined;
      void this.ask();
    });
    await eye.connect();
    if (this.#closed) await eye.end();
    return eye;
  }

  #dropEye(): void {
    const eye = this.#eye;
    this.#eye = undefined;
    void eye?.end().catch(() => {});
  }

  /** Throws Hung once the server has answered nothing at all for too long, Unheard where it only leaves this unanswered. */
  #unlessHung<T>(answer: Promise<T>): Promise<T> {
    const begun = performance.now();
    return new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout;
      const arm = () => {
        const armed = performance.now();
        timer = setTimeout(() => {
          const stoodStill = performance.now() - armed - HUNG_AFTER_MS > LATE_MS;
          if (!stoodStill && this.#answeredAt < armed) reject(new Hung("the server hangs"));
          else if (performance.now() - begun > UNHEARD_AFTER_MS) reject(new Unheard("no answer to a look"));
          else arm();
        }, HUNG_AFTER_MS);
      };
      arm();
      answer.then(resolve, reject).finally(() => clearTimeout(timer));
    });
  }

  /** Nobody waits for it any more; what comes next gets new connections. */
  #giveUp(reason: unknown): void {
    this.look = undefined;
    const gone = [this.#write, this.#read];
    this.#write = undefined;
    this.#read = undefined;
    for (const pool of gone) void pool?.end().catch(() => {});
    const text = Error.isError(reason) ? reason.message : String(reason);
    for (const reject of [...this.#waiting]) reject(new Error(`Connection terminated: ${text}`));
  }
}

interface LookRow {
  shard: string | null;
  epoch: number;
  leaving: boolean;
  deposedBy: number | null;
  replica: boolean;
  timeline: number;
  position: string;
}
