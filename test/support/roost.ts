import { randomBytes } from "node:crypto";
import { Redis } from "ioredis";
import type { ServiceBroker } from "moleculer";
import { Oracle } from "../../bench/load/oracle.ts";
import { readEnv, type ServiceName } from "../../config/env.ts";
import type { RedisStore } from "../../mixins/redis/index.ts";
import { type Resources, resourcesOf } from "../../mixins/resources.ts";
import { bucketOfHandle } from "../../mixins/shard-db/ids.ts";
import { sql } from "../../mixins/shard-db/index.ts";
import { migrate } from "../../mixins/shard-db/migrate.ts";
import { scatter } from "../../mixins/shard-db/scatter.ts";
import type { ActionName, ParamsOf, ResultOf } from "../../services/contracts/actions.ts";
import { errorCode } from "../../services/contracts/errors.ts";
import type { Tweet } from "../../services/contracts/tweets.ts";
import { type RunningNode, startNode } from "../../services/node.ts";
import { audit, auditAndMend } from "../../services/operator/audit.ts";
import type { Finding } from "../../services/operator/audit-findings.ts";
import { createShards, serverUrl, type TestShards } from "./servers.ts";

/** Someone who signed up for a test. */
export interface Person {
  id: string;
  username: string;
}

export interface RoostOptions {
  /** How many, as databases of the test Postgres; or those of a stack. */
  shards?: number | TestShards;
  services?: ServiceName[];
  /** undefined: the test Redis; "none": without; else a URL. */
  redisUrl?: string;
  env?: NodeJS.ProcessEnv;
}

/** A Roost of a test's own: fresh shards, a key space of its own in Redis, services in this process. */
export class Roost {
  readonly shards: TestShards;
  readonly env: NodeJS.ProcessEnv;
  oracle: Oracle;
  readonly nodes: RunningNode[] = [];
  readonly #prefix: string;

  private constructor(shards: TestShards, prefix: string, env: NodeJS.ProcessEnv) {
    this.shards = shards;
    this.#prefix = prefix;
    this.env = env;
    this.oracle = new Oracle(shards.topologyFile);
  }

  static async start(options: RoostOptions = {}): Promise<Roost> {
    const { shards: wanted = 2 } = options;
    const shards = typeof wanted === "number" ? await createShards(wanted) : wanted;
    await migrate(shards.topology);
    const prefix = `test-${randomBytes(6).toString("hex")}:`;
    const roost = new Roost(shards, prefix, {
      TOPOLOGY_FILE: shards.topologyFile,
      REDIS_URL: options.redisUrl === "none" ? "" : (options.redisUrl ?? serverUrl("REDIS")),
      REDIS_PREFIX: prefix,
      NAMESPACE: prefix.replace(":", ""),
      SERVICES: (options.services ?? ["user", "graph", "tweet", "timeline"]).join(","),
      METRICS_PORT: "0",
      PORT: "0",
      LOG_LEVEL: "fatal",
      RATE_LIMIT_FACTOR: "0",
      PG_POOL_SIZE: "5",
      ...options.env,
    });
    await roost.addNode();
    return roost;
  }

  async addNode(env: NodeJS.ProcessEnv = {}): Promise<RunningNode> {
    const node = await patiently(() =>
      startNode({ ...this.env, NODE_ID: `t-${randomBytes(6).toString("hex")}`, ...env }),
    );
    this.nodes.push(node);
    return node;
  }

  get broker(): ServiceBroker {
    const [node] = this.nodes;
    if (!node) throw new Error("no node");
    return node.broker;
  }

  get resources(): Resources {
    return resourcesOf(this.broker);
  }

  /** This process's Redis, with its keys. */
  get store(): RedisStore {
    const { redis } = this.resources;
    if (!redis) throw new Error("this Roost runs without Redis");
    return redis;
  }

  /** Calls an action as somebody, or signed out; on the first node where no other is named. */
  call<A extends ActionName>(
    action: A,
    params: ParamsOf<A>,
    as?: Person,
    on: ServiceBroker = this.broker,
  ): Promise<ResultOf<A>> {
    const meta = as ? { viewer: { userId: as.id, sessionId: "00000000-0000-0000-0000-000000000000" } } : {};
    // Broker.call is untyped upstream.
    return on.call(action, params, { meta }) as Promise<ResultOf<A>>;
  }

  /** Adds people straight to the tables: sign-up's password hashing is slow on purpose. */
  async people(count: number): Promise<Person[]> {
    const { db } = this.resources;
    return scatter(Array.from({ length: count }), 16, async () => {
      const username = `p${randomBytes(6).toString("hex")}`;
      const added = sql<{ id: string }>`INSERT INTO users (id, username, name)
        VALUES (next_id(${bucketOfHandle(username)}), ${username}, ${username}) RETURNING id`;
      const [row] = await patiently(() => db.write({ handle: username }, added));
      return { id: row?.id ?? "", username };
    });
  }

  /** All pages of a home timeline. Fails where one page holds an entry twice or out of order. */
  async home(viewer: Person, limit = 100, on?: ServiceBroker): Promise<Tweet[]> {
    const all: Tweet[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.call("timeline.home", { user_id: viewer.id, limit, cursor }, viewer, on);
      expect(page.tweets.length).toBeLessThanOrEqual(limit);
      all.push(...page.tweets);
      cursor = page.next_cursor;
    } while (cursor);
    const ids = all.map(({ id }) => id);
    expect(ids).toEqual([...new Set(ids)].sort().reverse());
    return all;
  }

  async homeIds(viewer: Person, limit?: number, on?: ServiceBroker): Promise<string[]> {
    return (await this.home(viewer, limit, on)).map(({ id }) => id);
  }

  /** Has the oracle ask the primaries that the topology file names now. */
  async reopenOracle(): Promise<void> {
    await this.oracle.close();
    this.oracle = new Oracle(this.shards.topologyFile);
  }

  /** How many home timelines this process has served from Redis or Postgres, or built with an outcome. */
  async counted(counter: "homeReads" | "homeBuilds", label: string): Promise<number> {
    const counts = await Promise.all(
      this.nodes.map(async ({ broker }) => (await resourcesOf(broker).metrics[counter].get()).values),
    );
    return counts
      .flat()
      .filter(({ labels }) => Object.values(labels).includes(label))
      .reduce((sum, { value }) => sum + value, 0);
  }

  /** Waits until no job is due any more. */
  async settle(): Promise<void> {
    await eventually(async () => (await this.oracle.pendingJobs()) === 0, "an outbox at rest");
  }

  /** Waits until the first node has learned of the services of another. */
  async meets(nodeId: string): Promise<void> {
    await eventually(() => this.#knows(nodeId), `${nodeId} met`);
  }

  /** Waits until the first node has learned that another has gone. */
  async forgets(nodeId: string): Promise<void> {
    await eventually(() => !this.#knows(nodeId), `${nodeId} forgotten`);
  }

  #knows(nodeId: string): boolean {
    // A node's own services, which a node that was only heard of does not have yet.
    const services = this.broker.registry.getServiceList({ onlyAvailable: true, skipInternal: true });
    return services.some((item) => item.nodeID === nodeId);
  }

  /** Everything that disagrees with what it should agree with. */
  async audit(): Promise<Finding[]> {
    return patiently(async () => {
      const findings: Finding[] = [];
      await audit(readEnv(this.env), (finding) => findings.push(finding));
      return findings;
    });
  }

  /** Mends what an audit finds, and returns what it found. */
  async mend(): Promise<Finding[]> {
    const findings: Finding[] = [];
    await auditAndMend(readEnv(this.env), (finding) => findings.push(finding));
    return findings;
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
    await this.oracle.close();
    // A Redis that others use too.
    if (this.env.REDIS_URL === serverUrl("REDIS")) await this.emptyRedis();
    await this.shards.drop();
  }

  /** Removes every key of this Roost from the Redis of the tests. */
  async emptyRedis(): Promise<void> {
    const redis = new Redis(serverUrl("REDIS"));
    for await (const keys of redis.scanStream({ match: `${this.#prefix}*`, count: 1_000 })) {
      if (keys.length > 0) await redis.unlink(keys);
    }
    redis.disconnect();
  }
}

const RETRY_AFTER_MS = 100;

/** Asks again where the answer is a 503, as clients do: on a machine that is busy a connection may not be had in time. */
export async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (errorCode(error) !== "UNAVAILABLE") throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_AFTER_MS));
    }
  }
}

/** How long something may take that comes about by itself, on a machine that is busy with other things (ms). */
const PATIENCE_MS = 45_000;
const LOOK_EVERY_MS = 25;

/** Waits until `condition` holds; for what comes about by itself. Throws after 45 s. */
export async function eventually(condition: () => Promise<boolean> | boolean, what: string): Promise<void> {
  const until = Date.now() + PATIENCE_MS;
  while (!(await condition())) {
    if (Date.now() > until) throw new Error(`never came about: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}
