import type { ServiceBroker } from "moleculer";
import type { Resources } from "../../mixins/resources.ts";
import type { ActionName } from "../contracts/actions.ts";
import type { Endpoint } from "./endpoint.ts";
import { sendJson } from "./http/reply.ts";

export interface Readiness {
  status: "ready" | "degraded" | "unavailable";
  shards: Record<string, "up" | "down">;
  redis: "up" | "down" | "absent";
  services: Record<string, "up" | "down">;
}

/** An answer is good for this long, in ms, so that asking often costs the databases nothing. */
const FRESH_MS = 1_000;

/** One action of each service that a gateway needs. */
const NEEDED = {
  user: "user.get",
  graph: "graph.list",
  tweet: "tweet.get",
  timeline: "timeline.home",
} as const satisfies Record<string, ActionName>;

/**
 * Whether this gateway can serve: every shard and every service must answer. Without Redis it is degraded, but ready:
 * reads then come from Postgres.
 */
export class Health {
  readonly #broker: ServiceBroker;
  readonly #resources: Pick<Resources, "db" | "redis">;
  #latest: { at: number; readiness: Promise<Readiness> } | undefined;

  constructor(broker: ServiceBroker, resources: Pick<Resources, "db" | "redis">) {
    this.#broker = broker;
    this.#resources = resources;
  }

  readiness(): Promise<Readiness> {
    if (!this.#latest || Date.now() - this.#latest.at > FRESH_MS) {
      this.#latest = { at: Date.now(), readiness: this.#check() };
    }
    return this.#latest.readiness;
  }

  async #check(): Promise<Readiness> {
    const { db, redis } = this.#resources;
    const [pinged, answers] = await Promise.all([db.ping(), redis?.ping()]);
    const shards = Object.fromEntries(pinged.map(({ shard, ok }) => [shard, up(ok)]));
    const services = Object.fromEntries(
      Object.entries(NEEDED).map(([name, action]) => [name, up(this.#isServed(action))]),
    );
    const serves = [...Object.values(shards), ...Object.values(services)].every((state) => state === "up");
    return {
      status: serves ? (answers ? "ready" : "degraded") : "unavailable",
      shards,
      redis: answers === undefined ? "absent" : up(answers),
      services,
    };
  }

  #isServed(action: ActionName): boolean {
    return this.#broker.registry.actions.isAvailable(action);
  }
}

const up = (ok: boolean): "up" | "down" => (ok ? "up" : "down");

/** `health/live`: this process answers. `health/ready`: what it needs does, too; 503 where it does not. */
export function healthEndpoints(health: Health): Endpoint[] {
  return [
    {
      method: "GET",
      path: "health/live",
      async serve({ response }) {
        sendJson(response, 200, { status: "live" });
      },
    },
    {
      method: "GET",
      path: "health/ready",
      async serve({ response }) {
        const readiness = await health.readiness();
        sendJson(response, readiness.status === "unavailable" ? 503 : 200, readiness);
      },
    },
  ];
}
