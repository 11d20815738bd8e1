import { Redis } from "ioredis";
import type { ServiceBroker } from "moleculer";
import { bucketOf } from "../../mixins/shard-db/ids.ts";
import { sql } from "../../mixins/shard-db/index.ts";
import type { Id } from "../../services/contracts/users.ts";
import { Cluster, type ServiceProcess } from "../support/cluster.ts";
import { type Person, Roost } from "../support/roost.ts";
import { serverUrl } from "../support/servers.ts";

const UNLINK_ALL = "for _, key in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('UNLINK', key) end";

/**
 * A Roost to be tormented: two shards, every service in this process, and a second timeline process, which fans out too
 * and may be killed at any moment. Several sequences share it, each with people of its own.
 */
export class World {
  readonly roost: Roost;
  readonly #cluster: Cluster;
  readonly #redis = new Redis(serverUrl("REDIS"));
  readonly #broadcast: ServiceBroker["broadcast"];
  #worker: ServiceProcess | undefined;
  #starting: Promise<void> = Promise.resolve();
  #pauses = 0;
  #deaf = 0;

  private constructor(roost: Roost, cluster: Cluster) {
    this.roost = roost;
    this.#cluster = cluster;
    this.#broadcast = roost.broker.broadcast.bind(roost.broker);
    roost.broker.broadcast = async (event: string, payload?: unknown) => {
      if (this.#deaf === 0) await this.#broadcast(event, payload);
    };
  }

  static async start(): Promise<World> {
    // A page of two followers: even small fan-outs go from cursor to cursor.
    const env = { NATS_URL: process.env.ROOST_TEST_NATS_URL, FANOUT_PAGE: "2", PG_POOL_SIZE: "8" };
    const roost = await Roost.start({ shards: 2, env });
    const world = new World(roost, await Cluster.start(roost.env, []));
    await world.#startWorker();
    return world;
  }

  async stop(): Promise<void> {
    await this.#starting;
    await this.#cluster.stop();
    this.#redis.disconnect();
    await this.roost.stop();
  }

  /** Stops all drains until as many calls of `resume` have followed. */
  async pause(): Promise<void> {
    this.#pauses++;
    await this.#broadcast("outbox.pause", { paused: true });
  }

  async resume(): Promise<void> {
    if (--this.#pauses === 0) await this.#broadcast("outbox.pause", { paused: false });
  }

  /** Every event of this process is lost until as many calls of `hear` have followed. */
  goDeaf(): void {
    this.#deaf++;
  }

  hear(): void {
    this.#deaf--;
  }

  /** Kills the second timeline process, whatever it is doing; another one takes its place after a while. */
  async killWorker(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.kill();
    if (worker) this.#starting = this.#startWorker();
  }

  /** Loses every key of this Roost in Redis, at one moment. */
  async flush(): Promise<void> {
    await this.#redis.eval(UNLINK_ALL, 0, `${this.roost.env.REDIS_PREFIX}*`);
  }

  /** What a day does: every list is older than the longest age, and what was to happen a day later is due. */
  async aDayPasses(): Promise<void> {
    await this.flush();
    await this.roost.resources.db.readAll(
      sql`UPDATE outbox SET run_after = now() WHERE kind = 'mode' AND run_after > now() + interval '1 minute'`,
    );
  }

  /** Queues a job as if it had not been done yet. */
  async repeat(kind: "tweet" | "edge" | "mode", key: Record<string, string>, owner: Id): Promise<void> {
    await this.roost.resources.db.write(
      { id: owner },
      sql`SELECT enqueue(${bucketOf(owner)}, ${kind}, ${JSON.stringify(key)})`,
    );
  }

  /**
   * Reads all pages of a viewer's home timeline. At any moment: nothing that is hidden shows, nothing shows twice or out
   * of order; whatever is missing has its fan-out still before it, and is not the viewer's own.
   */
  async look(viewer: Person, pageSize: number): Promise<void> {
    const { roost } = this;
    const pending = await roost.oracle.rows<{ kind: string; id: Id | null; src: Id | null }>(
      "SELECT kind, key ->> 'id' AS id, key ->> 'src' AS src FROM outbox",
      [],
    );
    const shown = await roost.home(viewer, pageSize);
    const truth = await roost.oracle.homeOf(viewer.id);
    const ids = shown.map(({ id }) => id);
    expect({ hiddenButShown: ids.filter((id) => !truth.includes(id)) }).toEqual({ hiddenButShown: [] });
    const own = await roost.oracle.rows<{ id: Id }>("SELECT id FROM tweets WHERE author_id = $1", [
      viewer.id,
    ]);
    const onTheWay = new Set(pending.map(({ id }) => id));
    for (const { id } of own) onTheWay.delete(id);
    const unsettled = pending.some(({ kind, src }) => kind === "edge" && src === viewer.id);
    const missing = truth.filter((id) => !ids.includes(id) && !onTheWay.has(id));
    if (!unsettled) expect({ missingForGood: missing }).toEqual({ missingForGood: [] });
  }

  /** Once everything is at rest: every page of every viewer is the oracle's answer. */
  async judge(people: readonly Person[]): Promise<void> {
    await this.roost.settle();
    for (const [i, person] of people.entries()) {
      const ids = await this.roost.homeIds(person, 3 + 4 * i);
      expect({ viewer: i, ids }).toEqual({ viewer: i, ids: await this.roost.oracle.homeOf(person.id) });
    }
  }

  async #startWorker(): Promise<void> {
    const worker = await this.#cluster.spawn("timeline");
    if (this.#pauses > 0) await this.#broadcast("outbox.pause", { paused: true });
    this.#worker = worker;
  }
}
