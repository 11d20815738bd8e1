import type { ServiceBroker } from "moleculer";
import { Batcher } from "../../mixins/batcher.ts";
import { removeJobs, retrySoon } from "../../mixins/outbox.repo.ts";
import { RedisDown, type RedisStore } from "../../mixins/redis/index.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import type { ShardDb } from "../../mixins/shard-db/index.ts";
import { errorCode, unavailable } from "../contracts/errors.ts";
import type { Id } from "../contracts/users.ts";
import type { EdgeKey } from "./edges.repo.ts";
import { reconcileEdge } from "./reconcile.ts";

/**
 * Brings about the deferred effects of changed edges before the answer goes out, and takes their outbox rows away; what
 * fails is left to the outbox. One per service that changes edges.
 */
export class Reconciler {
  readonly #db: ShardDb;
  readonly #redis: RedisStore | undefined;
  readonly #settled: Batcher<Id>;
  readonly #nudge: (jobs: Id[]) => void;

  constructor(broker: ServiceBroker) {
    const { db, redis } = resourcesOf(broker);
    this.#db = db;
    this.#redis = redis;
    this.#settled = new Batcher<Id>(
      20,
      (jobs) => removeJobs(db, jobs),
      (error) => broker.logger.debug(`outbox rows are left to the drain: ${String(error)}`),
    );
    this.#nudge = (jobs) => {
      const shards = [...new Set(jobs.map((job) => db.shardOf({ id: job })))];
      // A lost nudge only costs the time until the next poll.
      for (const shard of shards)
        broker.broadcast("outbox.ready", { shard, kinds: ["edge"] }).catch(() => {});
    };
  }

  /** Tries at once what `jobs` stand for. A block whose other side cannot be reached is a 503: it would still read. */
  async inline(edge: EdgeKey, jobs: Id[]): Promise<void> {
    if (jobs.length === 0) return;
    try {
      await this.#reconcileAll(edge);
      this.#settled.add(...jobs);
    } catch (error) {
      if (!(error instanceof RedisDown) && errorCode(error) !== "UNAVAILABLE") throw error;
      await retrySoon(this.#db, jobs, error);
      this.#nudge(jobs);
      if (edge.kind === "block" && !(error instanceof RedisDown)) throw error;
    }
  }

  /** Brings everything about or throws 503. */
  async fully(edge: EdgeKey, jobs: Id[] = []): Promise<void> {
    try {
      await this.#reconcileAll(edge);
    } catch (error) {
      if (error instanceof RedisDown) throw unavailable(`Part of this ${edge.kind}`);
      throw error;
    }
    this.#settled.add(...jobs);
  }

  /** Takes away the outbox rows that are left to be. */
  close(): Promise<void> {
    return this.#settled.close();
  }

  /** A block also ends the follows between the two: their mirrors go with it. */
  async #reconcileAll(edge: EdgeKey): Promise<void> {
    const ended = await reconcileEdge(this.#db, this.#redis, edge);
    if (edge.kind !== "block") return;
    const { src, dst } = edge;
    await reconcileEdge(this.#db, this.#redis, { src: dst, kind: "follow", dst: src });
    this.#settled.add(...ended);
    await reconcileEdge(this.#db, this.#redis, { src, kind: "follow", dst });
  }
}
