import { setTimeout as sleep } from "node:timers/promises";
import { Cluster, type ClusterOptions, Redis, type RedisOptions } from "ioredis";
import { parseRedisUrl, type RedisAddress } from "./address.ts";
import { Keys } from "./keys.ts";
import { ReplicationBarrier } from "./replication.ts";
import type { Script } from "./script.ts";
import { masterInCharge } from "./sentinel.ts";
import { RedisWatch } from "./watch.ts";

/** Bounds, in ms: a command's answer, a connection, how long a node that failed is left alone. */
const TIMEOUTS = { command: 500, connect: 1_000, rest: 500 } as const;

const KEYS_PER_SCAN = 1_000;

/** Redis cannot be reached, or not in time. Whoever catches it goes on without Redis. */
export class RedisDown extends Error {
  override name = "RedisDown";
}

/** Answers that mean "not now" rather than "wrong". */
const TRANSIENT =
  /^(LOADING|READONLY|CLUSTERDOWN|MASTERDOWN|TRYAGAIN|OOM|NOREPLICAS|MISCONF|UNBLOCKED|BUSY )/;

function connect(address: RedisAddress): Redis | Cluster {
  const common: RedisOptions = {
    username: address.username,
    password: address.password,
    tls: address.tls ? {} : undefined,
    connectTimeout: TIMEOUTS.connect,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    keepAlive: 10_000,
    retryStrategy: (tries) => Math.min(1_000, 50 * 2 ** tries),
  };
  if (address.kind === "cluster") {
    const options: ClusterOptions = {
      enableOfflineQueue: false,
      redisOptions: common,
      clusterRetryStrategy: (tries) => Math.min(1_000, 50 * 2 ** tries),
      slotsRefreshTimeout: TIMEOUTS.connect,
      slotsRefreshInterval: 2_000,
      lazyConnect: true,
    };
    return new Cluster(address.nodes, options);
  }
  if (address.kind === "sentinel") {
    return new Redis({
      ...common,
      sentinels: address.nodes,
      sentinelPassword: address.password,
      name: address.name,
      sentinelRetryStrategy: (tries) => Math.min(1_000, 50 * 2 ** tries),
      failoverDetector: true,
      lazyConnect: true,
    });
  }
  return new Redis({ ...common, ...address.nodes[0], db: address.db, lazyConnect: true });
}

export interface RedisStoreOptions {
  /** What every key begins with. */
  prefix: string;
  maxAgeMs: number;
  /** Longer than the default for work that no request waits for. */
  commandTimeoutMs?: number;
}

/**
 * Redis, in whichever form the URL names. Nothing is queued while it is away and nothing is sent twice: a command
 * either answers in time or throws RedisDown; after a failure, further commands to that partition fail at once for
 * half a second, so that a reader is not held up by a Redis that hangs.
 */
export class RedisStore {
  readonly keys: Keys;
  /** What is stored lives at most so long. */
  readonly maxAgeMs: number;
  readonly clustered: boolean;
  readonly #client: Redis | Cluster;
  readonly #address: RedisAddress;
  readonly #timeoutMs: number;
  /** undefined: no master here has a replica that may take its place. */
  readonly #barrier: ReplicationBarrier | undefined;
  readonly #restUntil = new Map<string, number>();
  #watch: RedisWatch | undefined;

  constructor(url: string, { prefix, maxAgeMs, commandTimeoutMs = TIMEOUTS.command }: RedisStoreOptions) {
    const address = parseRedisUrl(url);
    this.keys = new Keys(prefix);
    this.maxAgeMs = maxAgeMs;
    this.clustered = address.kind === "cluster";
    this.#address = address;
    this.#timeoutMs = commandTimeoutMs;
    this.#client = connect(address);
    this.#barrier =
      address.kind === "standalone"
        ? undefined
        : new ReplicationBarrier(
            () => this.#masters(),
            () => this.#inCharge(),
          );
    // Every command reports its own failure; the connection comes back by itself.
    this.#client.on("error", () => {});
  }

  /** Connects, or leaves that to the background where Redis is away. */
  async open(): Promise<void> {
    // A cluster that is not well leaves this promise open for ever, while it goes on trying in the background.
    const connected = this.#client.connect().catch(() => {});
    await Promise.race([connected, sleep(2 * TIMEOUTS.connect, undefined, { ref: false })]);
  }

  /**
   * Starts to watch whether what Redis holds may be shown (see RedisWatch); `clear` tells whether all changes that Redis
   * missed while it was away have been made up for.
   */
  async watch(clear: () => Promise<boolean>): Promise<void> {
    this.#watch = new RedisWatch(() => this.#pingAll(), clear);
    await this.#watch.start();
  }

  /** Whether what Redis holds may be shown now. Where it may not, readers go to Postgres. */
  get readable(): boolean {
    return this.#watch?.readable ?? true;
  }

  async close(): Promise<void> {
    await this.#watch?.stop();
    this.#client.disconnect();
  }

  /** Runs a script; all keys must share a partition unless Redis stands alone. Throws RedisDown. */
  run(script: Script, keys: string[], args: (string | number)[] = []): Promise<unknown> {
    return this.#guard(keys[0] ?? "", async () => {
      try {
        return await this.#client.evalsha(script.sha, keys.length, ...keys, ...args);
      } catch (error) {
        if (Error.isError(error) && error.message.startsWith("NOSCRIPT")) {
          return await this.#client.eval(script.lua, keys.length, ...keys, ...args);
        }
        throw error;
      }
    });
  }

  /** Values of the keys, in their order. */
  async mget(keys: string[]): Promise<(string | null)[]> {
    if (keys.length === 0) return [];
    if (!this.clustered) return this.#guard("", () => this.#client.mget(...keys));
    return Promise.all(keys.map((key) => this.#guard(key, () => this.#client.get(key))));
  }

  /** Sets values that never change, for `ttlMs`. */
  async setAll(entries: [key: string, value: string][], ttlMs: number): Promise<void> {
    await Promise.all(
      entries.map(([key, value]) => this.#guard(key, () => this.#client.set(key, value, "PX", ttlMs))),
    );
  }

  async delete(keys: string[]): Promise<void> {
    await Promise.all(keys.map((key) => this.#guard(key, () => this.#client.del(key))));
  }

  /** All keys, in batches, from every master; one that is written meanwhile may come twice, or not. Throws RedisDown. */
  async *allKeys(): AsyncGenerator<string[]> {
    const masters = this.#masters();
    if (masters.length === 0) throw new RedisDown("no master is known");
    for (const master of masters) {
      let cursor = "0";
      do {
        const [next, keys] = await this.#guard("", () =>
          master.scan(cursor, "MATCH", this.keys.pattern, "COUNT", KEYS_PER_SCAN),
        );
        cursor = next;
        yield keys;
      } while (cursor !== "0");
    }
  }

  /**
   * Splits items into groups that one script may serve: by partition in a cluster, otherwise all together; at most
   * `size` to a group.
   */
  groups<T>(items: Iterable<T>, keyOf: (item: T) => string, size: number): T[][] {
    const byTag = Map.groupBy(items, (item) => (this.clustered ? tagOf(keyOf(item)) : ""));
    return [...byTag.values()].flatMap((group) =>
      Array.from({ length: Math.ceil(group.length / size) }, (_, i) => group.slice(i * size, (i + 1) * size)),
    );
  }

  /**
   * Whether a failover could not lose what this connection has written so far (see ReplicationBarrier). True at once
   * where there are no replicas by design. Throws RedisDown.
   */
  async replicated(): Promise<boolean> {
    const barrier = this.#barrier;
    return barrier ? this.#guard("", () => barrier.reached()) : true;
  }

  /** Whether every master answers. */
  async ping(): Promise<boolean> {
    return this.#pingAll().then(
      () => true,
      () => false,
    );
  }

  #masters(): Redis[] {
    return this.#client instanceof Cluster ? this.#client.nodes("master") : [this.#client];
  }

  /** Whether the masters that this process writes to are those that the others know, too. */
  async #inCharge(): Promise<boolean> {
    if (this.#client instanceof Redis) return masterInCharge(this.#address, this.#client);
    // A master that the majority does not see any more says so of the cluster.
    const states = await Promise.all(this.#client.nodes("master").map((node) => node.cluster("INFO")));
    return states.length > 0 && states.every((state) => /cluster_state:ok/.test(state));
  }

  async #pingAll(): Promise<void> {
    const masters = this.#masters();
    if (masters.length === 0) throw new RedisDown("no master is known");
    await Promise.all(masters.map((master) => master.ping()));
  }

  async #guard<T>(key: string, work: () => Promise<T>): Promise<T> {
    const tag = this.clustered ? tagOf(key) : "";
    const restUntil = this.#restUntil.get(tag);
    if (restUntil !== undefined) {
      if (restUntil > Date.now()) throw new RedisDown("Redis failed a moment ago");
      // One command tries whether it answers again; the others go on failing until it has.
      this.#restUntil.set(tag, Date.now() + this.#timeoutMs);
    }
    try {
      const result = await within(this.#timeoutMs, work());
      this.#restUntil.delete(tag);
      return result;
    } catch (error) {
      const ours = Error.isError(error) && (error.name === "RangeError" || error.name === "TypeError");
      const reply = Error.isError(error) && error.name === "ReplyError";
      if (ours || (reply && !TRANSIENT.test(error.message))) {
        this.#restUntil.delete(tag);
        throw error;
      }
      // A refused connection answers at once and comes back at once: only a time-out is worth resting for.
      if (Error.isError(error) && /timed out/i.test(error.message)) {
        this.#restUntil.set(tag, Date.now() + TIMEOUTS.rest);
      } else {
        this.#restUntil.delete(tag);
      }
      throw new RedisDown(Error.isError(error) ? error.message : String(error), { cause: error });
    }
  }
}

/**
 * Rejects where the answer is not there after `ms`. A stall of this process is no time-out: an answer that lies in the
 * socket by then is still taken.
 */
function within<T>(ms: number, answer: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = () => reject(new Error(`timed out after ${ms} ms`));
    const timer = setTimeout(() => setImmediate(late), ms);
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

const tagOf = (key: string): string => key.slice(key.indexOf("{") + 1, key.indexOf("}"));
