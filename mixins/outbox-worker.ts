import { setTimeout as sleep } from "node:timers/promises";
import type { ServiceBroker } from "moleculer";
import { errorCode } from "../services/contracts/errors.ts";
import type { Metrics } from "./metrics.ts";
import { countAttempts, describeError, finish, type OutboxJob, takeJob, takeJobs } from "./outbox.repo.ts";
import { RedisDown } from "./redis/index.ts";
import type { ShardDb } from "./shard-db/index.ts";
import { scatter } from "./shard-db/scatter.ts";

const MAX_ATTEMPTS = 10;
/** ms: a job may take, and after which no further one of a batch is begun; together below TIMEOUTS.idleInTransaction. */
const JOB_WITHIN = 20_000;
const BATCH_WITHIN = 10_000;

/** Works on one job: re-reads the truth of its key and brings the rest in line. Must be safe to run twice. */
export type JobHandler = (job: OutboxJob) => Promise<"done">;

/** What a handler made of a page of a job: finished, or to be continued from a cursor. */
export type Outcome = "done" | { cursor: unknown };

/** Works on one page of a job that may be long; the same promises hold. */
export type PageHandler = (job: OutboxJob) => Promise<Outcome>;

/** How an attempt ended. */
export interface JobResult {
  job: OutboxJob;
  outcome: "done" | "continued" | "postponed" | "failed" | "dead";
  cursor?: unknown;
  error?: string;
  /** Postponed because Redis was away. */
  waitsForRedis?: boolean;
}

/** Which jobs are taken together, how many, and how many of them are worked on at the same time, in the order of ids. */
export interface Lane {
  kinds: string[];
  continued: boolean;
  batch: number;
  atOnce: number;
}

export interface WorkerOptions {
  db: ShardDb;
  metrics: Metrics;
  logger: ServiceBroker["logger"];
  handlers: Record<string, PageHandler>;
  /** Whether no further job is to be begun. */
  halted: () => boolean;
  /** Told of a shard that has jobs to be continued now. */
  onContinued: (shard: string) => void;
}

/**
 * Works on the jobs of an outbox.
 *
 * A job:  due → row locked → attempt counted (committed) → worked on → deleted
 *                                                               ├─ more to do: cursor stored, due again, as a continued job
 *                                                               ├─ a dependency is down: due again soon, attempt not counted
 *                                                               └─ failed: due again later; after 10 attempts a dead letter
 *
 * The row lock is the lease, from before the attempt is counted until its end is stored: a worker that crashes frees its
 * jobs at once, one that hangs is cut off by idle_in_transaction_session_timeout. An attempt that began and never ended may
 * have killed its worker, so such a job is tried alone, and set aside unseen after too many.
 */
export class OutboxWorker {
  readonly #options: WorkerOptions;
  #withoutRedis = false;

  constructor(options: WorkerOptions) {
    this.#options = options;
  }

  /** Whether Redis could not be reached in the latest batch. */
  get withoutRedis(): boolean {
    return this.#withoutRedis;
  }

  /** Works until nothing is due in a lane of a shard. Throws 503 where the shard is away. */
  async drain(shard: string, lane: Lane): Promise<void> {
    let alone: string | undefined;
    while (!this.#options.halted()) {
      const batch = await this.#batch(shard, lane, alone);
      if (batch === "nothing" && !alone) return;
      alone = typeof batch === "object" ? batch.suspect : undefined;
    }
  }

  /** Takes jobs that are due and works on them, or on one that is to be tried alone; finds out which one that is. */
  async #batch(
    shard: string,
    lane: Lane,
    alone?: string,
  ): Promise<"nothing" | "worked" | { suspect: string }> {
    const { db, onContinued } = this.#options;
    const batch = await db.transactionOn(shard, async (tx) => {
      const jobs = alone ? await takeJob(tx, alone) : await takeJobs(tx, lane);
      const suspect = jobs.find(({ lost }) => lost > 0);
      if (suspect && !alone) return { suspect: suspect.id };
      if (jobs.length === 0) return "nothing";
      const ids = jobs.map(({ id }) => id);
      await countAttempts(db, shard, ids);
      const results = await this.#work(jobs, lane.atOnce);
      this.#withoutRedis = results.some(({ waitsForRedis }) => waitsForRedis);
      await tx.enter(ids);
      await finish(tx, results);
      return results;
    });
    if (!Array.isArray(batch)) return batch;
    this.#tell(batch);
    if (!lane.continued && batch.some(({ outcome }) => outcome === "continued")) onContinued(shard);
    return "worked";
  }

  #work(jobs: OutboxJob[], atOnce: number): Promise<JobResult[]> {
    const begun = Date.now();
    return scatter(jobs, atOnce, async (job) => {
      const late = this.#options.halted() || Date.now() - begun > BATCH_WITHIN;
      return late ? { job, outcome: "postponed", error: "not begun with its batch" } : this.#attempt(job);
    });
  }

  async #attempt(job: OutboxJob): Promise<JobResult> {
    if (job.attempts > MAX_ATTEMPTS) return { job, outcome: "dead", error: "its attempts never came back" };
    const timeout = new AbortController();
    try {
      const handler = this.#options.handlers[job.kind];
      if (!handler) throw new Error(`no handler for ${job.kind}`);
      const tooLong = sleep(JOB_WITHIN, undefined, { signal: timeout.signal, ref: false }).then(() => {
        throw new Error(`took longer than ${JOB_WITHIN} ms`);
      });
      // Aborted below in any case, also where the handler throws before the race is on.
      tooLong.catch(() => {});
      const outcome = await Promise.race([handler(job), tooLong]);
      return outcome === "done" ? { job, outcome } : { job, outcome: "continued", cursor: outcome.cursor };
    } catch (error) {
      const message = describeError(error);
      const waitsForRedis = error instanceof RedisDown;
      if (waitsForRedis || errorCode(error) === "UNAVAILABLE") {
        return { job, outcome: "postponed", error: message, waitsForRedis };
      }
      return { job, outcome: job.attempts >= MAX_ATTEMPTS ? "dead" : "failed", error: message };
    } finally {
      timeout.abort();
    }
  }

  #tell(results: JobResult[]): void {
    const { metrics, logger } = this.#options;
    for (const { job, outcome, error } of results) {
      metrics.outboxJobs.inc({ kind: job.kind, outcome });
      const line = `job ${job.id} ${job.kind} ${JSON.stringify(job.key)}: ${outcome}: ${error}`;
      if (outcome === "dead") logger.error(line);
      else if (error) logger.warn(line);
    }
  }
}
