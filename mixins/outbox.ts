import { hash } from "node:crypto";
import type { ServiceBroker, ServiceSchema } from "moleculer";
import type { EventMap } from "../services/contracts/events.ts";
import type { Metrics } from "./metrics.ts";
import { outboxState } from "./outbox.repo.ts";
import { type JobHandler, type Lane, OutboxWorker, type PageHandler } from "./outbox-worker.ts";
import { Periodic } from "./periodic.ts";
import type { ShardDb } from "./shard-db/index.ts";

/** How often the outbox is looked at without a nudge, by the node that is first for a shard. */
const POLL_MS = 500;
/** How much longer each further node waits, after a nudge and between polls. */
const RANK_DELAY_MS = 50;
/** How much longer a node waits that could not reach Redis the last time: others may. */
const YIELD_MS = 250;

/** The pages of jobs that are continued have a lane of their own, one at a time: no new job ever waits for a giant. */
const FRESH = { continued: false, batch: 64, atOnce: 32 };
const CONTINUED = { continued: true, batch: 8, atOnce: 1 };

export interface OutboxOptions {
  broker: ServiceBroker;
  db: ShardDb;
  metrics: Metrics;
  /** Name of the service whose live nodes share the work. */
  service: string;
  handlers: Record<string, JobHandler>;
  /** Of the kinds whose jobs may take many pages. */
  paged?: Record<string, PageHandler>;
}

/** How the lanes of a shard are looked at. */
interface Looks {
  fresh: Periodic;
  /** undefined: no kind here is paged. */
  continued: Periodic | undefined;
}

/**
 * Drains the outbox of every shard, for some kinds of jobs: looks for what is due when it is nudged, and every so often. Nodes
 * are ranked per shard by rendezvous hashing (Thaler and Ravishankar, 1998): the first one acts at once, the others a
 * little later, and only on what it left; correctness never depends on the ranking.
 */
export class OutboxDrain {
  readonly #options: OutboxOptions;
  readonly #kinds: string[];
  readonly #worker: OutboxWorker;
  /** By shard. */
  readonly #looks = new Map<string, Looks>();
  #stopped = false;
  #paused = false;

  constructor(options: OutboxOptions) {
    const { db, metrics, broker, paged } = options;
    const handlers = { ...options.handlers, ...paged };
    this.#options = options;
    this.#kinds = Object.keys(handlers);
    this.#worker = new OutboxWorker({
      db,
      metrics,
      logger: broker.logger,
      handlers,
      halted: () => this.#stopped || this.#paused,
      onContinued: (shard) => this.#looks.get(shard)?.continued?.soon(0),
    });
  }

  start(): void {
    const { db, metrics, paged } = this.#options;
    const fresh: Lane = { kinds: this.#kinds, ...FRESH };
    const continued: Lane | undefined = paged && { kinds: Object.keys(paged), ...CONTINUED };
    db.eachShard((shard) => {
      if (this.#looks.has(shard)) return;
      const looks = { fresh: this.#look(shard, fresh), continued: continued && this.#look(shard, continued) };
      this.#looks.set(shard, looks);
      this.#go(looks);
    });
    metrics.onScrape(() => this.#report());
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
    await this.#halt();
  }

  /** Looks at that shard now, or a moment later where other nodes come first. */
  #nudge({ shard, kinds }: EventMap["outbox.ready"]): void {
    if (kinds.some((kind) => this.#kinds.includes(kind)))
      this.#looks.get(shard)?.fresh.soon(this.#delayMs(shard));
  }

  /** Jobs under way are finished; no other is begun until the drain goes on. */
  async #pause({ paused }: EventMap["outbox.pause"]): Promise<void> {
    this.#paused = paused;
    if (paused) await this.#halt();
    else for (const looks of this.#looks.values()) this.#go(looks);
  }

  #go({ fresh, continued }: Looks): void {
    if (this.#paused || this.#stopped) return;
    for (const look of [fresh, continued]) {
      look?.start();
      look?.soon(0);
    }
  }

  async #halt(): Promise<void> {
    await Promise.all(this.#eachLook().map((look) => look.stop()));
  }

  #eachLook(): Periodic[] {
    return [...this.#looks.values()].flatMap(({ fresh, continued }) =>
      continued ? [fresh, continued] : [fresh],
    );
  }

  #look(shard: string, lane: Lane): Periodic {
    const { broker, db } = this.#options;
    const drain = async () => {
      // One that has left the map has no jobs, and may come back.
      if (db.shards.includes(shard)) await this.#worker.drain(shard, lane);
    };
    return new Periodic(
      () => POLL_MS + this.#delayMs(shard),
      () => drain().catch((error: unknown) => broker.logger.warn(`outbox of ${shard}: ${String(error)}`)),
    );
  }

  /** How much later than the first node this one acts on a shard. */
  #delayMs(shard: string): number {
    return this.#rank(shard) * RANK_DELAY_MS + (this.#worker.withoutRedis ? YIELD_MS : 0);
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

/** Live nodes that host a service. */
function nodesOf(broker: ServiceBroker, service: string): string[] {
  const list = broker.registry.getServiceList({ onlyAvailable: true });
  return list.filter(({ name }) => name === service).map(({ nodeID }) => nodeID ?? "");
}
