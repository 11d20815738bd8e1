import { hash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { ServiceBroker, ServiceSchema } from "moleculer";
import { errorCode } from "../services/contracts/errors.ts";
import type { EventMap } from "../services/contracts/events.ts";
import type { Metrics } from "./metrics.ts";
import {
  countAttempts,
  describeError,
  finish,
  type OutboxJob,
  outboxState,
  takeJob,
  takeJobs,
} from "./outbox.repo.ts";
import { RedisDown } from "./redis/index.ts";
import type { ShardDb } from "./shard-db/index.ts";
import { scatter } from "./shard-db/scatter.ts";

/** How often the outbox is looked at without a nudge, by the node that is first for a shard. */
const POLL_MS = 500;
/** How much longer each further node waits, after a nudge and between polls. */
const RANK_DELAY_MS = 50;
const BATCH = 64;
/** Jobs of a batch that are worked on at the same time, in the order of their ids. */
const AT_ONCE = 8;
const MAX_ATTEMPTS = 10;
/** ms: a job may take, and after which no further one of a batch is begun; together below TIMEOUTS.idleInTransaction. */
const JOB_WITHIN = 20_000;
const BATCH_WITHIN = 10_000;

/** What a handler made of a job: finished, or to be continued from a cursor behind the jobs that wait. */
export type Outcome = "done" | { cursor: unknown };

/** Works on one job: re-reads the truth of its key and brings the rest in line. Must be safe to run twice. */
export type JobHandler = (job: OutboxJob) => Promise<Outcome>;

export interface OutboxOptions {
  broker: ServiceBroker;
  db: ShardDb;
  metrics: Metrics;
  /** Name of the service whose live nodes share the work. */
  service: string;
  handlers: Record<string, JobHandler>;
}

/**
 * Drains the outbox of every shard, for some kinds of jobs.
 *
 * A job:  due → row locked → attempt counted (committed) → worked on → deleted
 *                                                               ├─ more to do: cursor stored, due again behind the others
 *                                                               ├─ a dependency is down: due again soon, attempt not counted
 *                                                               └─ failed: due again later; after 10 attempts a dead letter
 *
 * The row lock is the lease, from before the attempt is counted until its end is stored: a worker that crashes frees its
 * jobs at once, one that hangs is cut off by idle_in_transaction_session_timeout. An attempt that began and never ended may
 * have killed its worker, so such a job is tried alone, and set aside unseen after too many. Nodes are ranked per shard by
 * rendezvous hashing (Thaler and Ravishankar, 1998): the first one acts at once, the others a little later, and only on
 * what it left; correctness never depends on the ranking.
 */
export class OutboxDrain {
  readonly #options: OutboxOptions;
  readonly #kinds: string[];
  readonly #planned = new Map<string, { at: number; timer: NodeJS.Timeout }>();
  readonly #running = new Map<string, Promise<void>>();
  /** Shards to look at once more, right after the drain that is under way. */
  readonly #again = new Set<string>();
  #stopped = false;
  #paused = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#kinds = Object.keys(options.handlers);
  }

  start(): void {
    for (const shard of this.#options.db.shards) this.#schedule(shard, 0);
    this.#options.metrics.onScrape(() => this.#report());
  }

  /** What the service that drains subscribes to. */
  get events(): NonNullable<ServiceSchema["events"]> {
    return {
      "outbox.ready": (ctx: { params: EventMap["outbox.ready"] }) => this.#nudge(ctx.params),
      "outbox.pause": {
        params: { $$strict: true, paused: "boolean" },
        handler: (ctx: { params: EventMap["outbox.pause"] }) => this.#pause(ctx.params),
      },
    };
  }

  /** Stops taking jobs and waits for those under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#forgetPlans();
    await Promise.all(this.#running.values());
  }

  /** Looks at that shard now, or a moment later where other nodes come first. */
  #nudge({ shard, kinds }: EventMap["outbox.ready"]): void {
    if (kinds.some((kind) => this.#kinds.includes(kind)))
      this.#schedule(shard, this.#rank(shard) * RANK_DELAY_MS);
  }

  /** Jobs under way are finished; no other is begun until the drain goes on. */
  #pause({ paused }: EventMap["outbox.pause"]): void {
    this.#paused = paused;
    if (paused) this.#forgetPlans();
    else for (const shard of this.#options.db.shards) this.#schedule(shard, 0);
  }

  get #halted(): boolean {
    return this.#stopped || this.#paused;
  }

  #forgetPlans(): void {
    for (const { timer } of this.#planned.values()) clearTimeout(timer);
    this.#planned.clear();
  }

  /** Looks at a shard after `delayMs`, unless that is planned sooner already. */
  #schedule(shard: string, delayMs: number): void {
    const planned = this.#planned.get(shard);
    const at = Date.now() + delayMs;
    if (this.#halted || (planned && planned.at <= at)) return;
    clearTimeout(planned?.timer);
    const timer = setTimeout(() => {
      this.#planned.delete(shard);
      this.#look(shard);
    }, delayMs);
    this.#planned.set(shard, { at, timer });
  }

  #look(shard: string): void {
    if (this.#running.has(shard)) {
      // Under way already: it looks again before it ends.
      this.#again.add(shard);
      return;
    }
    const work = this.#drain(shard)
      .catch((error: unknown) => this.#options.broker.logger.warn(`outbox of ${shard}: ${String(error)}`))
      .finally(() => {
        this.#running.delete(shard);
        const again = this.#again.delete(shard);
        this.#schedule(shard, again ? 0 : POLL_MS + this.#rank(shard) * RANK_DELAY_MS);
      });
    this.#running.set(shard, work);
  }

  async #drain(shard: string): Promise<void> {
    let alone: string | undefined;
    while (!this.#halted) {
      const batch = await this.#batch(shard, alone);
      if (batch === "nothing" && !alone) return;
      alone = typeof batch === "object" ? batch.suspect : undefined;
    }
  }

  /** Takes jobs that are due and works on them, or on one that is to be tried alone; finds out which one that is. */
  #batch(shard: string, alone?: string): Promise<"nothing" | "worked" | { suspect: string }> {
    const { db } = this.#options;
    return db.transactionOn(shard, async (tx) => {
      const jobs = alone ? await takeJob(tx, alone) : await takeJobs(tx, this.#kinds, BATCH);
      const suspect = jobs.find(({ lost }) => lost > 0);
      if (suspect && !alone) return { suspect: suspect.id };
      if (jobs.length === 0) return "nothing";
      const ids = jobs.map(({ id }) => id);
      await countAttempts(db, shard, ids);
      const results = await this.#work(jobs);
      await tx.enter(ids);
      await finish(tx, results);
      this.#tell(results);
      return "worked";
    });
  }

  #work(jobs: OutboxJob[]): Promise<JobResult[]> {
    const begun = Date.now();
    return scatter(jobs, AT_ONCE, async (job) => {
      const late = this.#halted || Date.now() - begun > BATCH_WITHIN;
      return late ? { job, outcome: "postponed", error: "not begun with its batch" } : this.#attempt(job);
    });
  }

  #tell(results: JobResult[]): void {
    const { metrics, broker } = this.#options;
    for (const { job, outcome, error } of results) {
      metrics.outboxJobs.inc({ kind: job.kind, outcome });
      const line = `job ${job.id} ${job.kind} ${JSON.stringify(job.key)}: ${outcome}: ${error}`;
      if (outcome === "dead") broker.logger.error(line);
      else if (error) broker.logger.warn(line);
    }
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

  /** 0 for the node that acts first on a shard. */
  #rank(shard: string): number {
    const { broker, service } = this.#options;
    const mine = hash("sha1", `${shard} ${broker.nodeID}`, "hex");
    return nodesOf(broker, service).filter((node) => hash("sha1", `${shard} ${node}`, "hex") < mine).length;
  }

  async #report(): Promise<void> {
    const { db, metrics } = this.#options;
    await Promise.all(
      db.shards.map(async (shard) => {
        const { due, dead } = await outboxState(db, shard);
        for (const kind of this.#kinds) {
          metrics.outboxDepth.set({ shard, kind }, due.get(kind) ?? 0);
          metrics.deadLetters.set({ shard, kind }, dead.get(kind) ?? 0);
        }
      }),
    );
  }
}

export interface JobResult {
  job: OutboxJob;
  outcome: "done" | "continued" | "postponed" | "failed" | "dead";
  cursor?: unknown;
  error?: string;
  /** Postponed because Redis was away. */
  waitsForRedis?: boolean;
}

/** Live nodes that host a service. */
function nodesOf(broker: ServiceBroker, service: string): string[] {
  const list = broker.registry.getServiceList({ onlyAvailable: true });
  return list.filter(({ name }) => name === service).map(({ nodeID }) => nodeID ?? "");
}
