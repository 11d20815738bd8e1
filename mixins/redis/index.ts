import { setTimeout as sleep } from "node:timers/promises";
import { Cluster, Redis } from "ioredis";
import { TimedOut, within } from "../within.ts";
import { parseRedisUrl, type RedisAddress } from "./address.ts";
import { CONNECT, clientOf } from "./connect.ts";
import { Heartbeat } from "./heartbeat.ts";
import { Keys } from "./keys.ts";
import { ReplicationBarrier } from "./replication.ts";
import type { Script } from "./script.ts";
import { chargeOf } from "./sentinel.ts";
import { RedisWatch } from "./watch.ts";

/** Bounds, in ms: a command's answer, how long a node that failed is left alone. */
const TIMEOUTS = { command: 500, rest: 500 } as const;

const KEYS_PER_SCAN = 1_000;

/** Redis cannot be reached, or not in time. Whoever catches it goes on without Redis. */
export class RedisDown extends Error {
  override name = "RedisDown";
}

/**
 * Some keys of a script are on one master and some on another, while their slot moves: nothing was run, but for deletions.
 * Keys by themselves can be reached.
 */
export class SlotMoving extends RedisDown {
  override name = "SlotMoving";
}

/** Answers that mean "not now" rather than "wrong". */
const TRANSIENT =
  /^(LOADING|READONLY|CLUSTERDOWN|MASTERDOWN|MOVED|ASK|OOM|NOREPLICAS|MISCONF|UNBLOCKED|NOAUTH|WRONGPASS|NOPERM|BUSY |ERR WAIT cannot be used with replica)/;

/** The second where a script has deleted a key that it goes on to write. */
const SLOT_MOVING = /^(TRYAGAIN|ERR Script attempted to access a non local key)/;

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
  readonly #heartbeat: Heartbeat;
  readonly #restUntil = new Map<string, number>();
  #watch: RedisWatch | undefined;
  /** Connections lost and nodes met so far. */
  #changes = 0;

  constructor(url: string, { prefix, maxAgeMs, commandTimeoutMs = TIMEOUTS.command }: RedisStoreOptions) {
    const address = parseRedisUrl(url);
    this.keys = new Keys(prefix);
    this.maxAgeMs = maxAgeMs;
    this.clustered = address.kind === "cluster";
    this.#address = address;
    this.#timeoutMs = commandTimeoutMs;
    this.#client = clientOf(address, commandTimeoutMs + TIMEOUTS.rest);
    this.#heartbeat = new Heartbeat({
      connections: () => this.#connections(),
      inCharge: () => this.#inCharge(),
    });
    this.#barrier =
      address.kind === "standalone"
        ? undefined
        : new ReplicationBarrier(
            () => this.#masters(),
            () => this.#inCharge(),
          );
    // Every command reports its own failure; the connection comes back by itself.
    this.#client.on("error", () => {});
    const changed = () => void this.#changes++;
    if (this.#client instanceof Redis) this.#client.on("close", changed);
    else {
      this.#client.on("+node", (node: Redis) => {
        changed();
        node.on("close", changed);
      });
    }
  }

  /** Connects, or leaves that to the background where Redis is away. */
  async open(): Promise<void> {
    // A cluster that is not well leaves this promise open for ever, while it goes on trying in the background.
    const connected = this.#client.connect().catch(() => {});
    await Promise.race([connected, sleep(2 * CONNECT.within, undefined, { ref: false })]);
    await this.#heartbeat.start();
  }

  /**
   * Starts to watch whether what Redis holds may be shown (see RedisWatch); `clear` tells whether all changes that Redis
   * missed while it was away have been made up for.
   */
  async watch(clear: () => Promise<boolean>): Promise<void> {
    this.#watch = new RedisWatch({
      ping: () => this.#pingAll(),
      inCharge: () => this.#heartbeat.inCharge,
      clear,
    });
    await this.#watch.start();
  }

  /** Whether what Redis holds may be shown now. Where it may not, readers go to Postgres. */
  get readable(): boolean {
    return this.#watch?.readable ?? true;
  }

  async close(): Promise<void> {
    await Promise.all([this.#watch?.stop(), this.#heartbeat.stop()]);
    this.#client.disconnect();
  }

  /** Runs a script; all keys must share a partition unless Redis stands alone. Throws RedisDown. */
  async run(script: Script, keys: string[], args: (string | number)[] = []): Promise<unknown> {
    try {
      return await this.#evaluate(script, keys, args);
    } catch (error) {
      // A script that begins by deleting its only key cannot write it again where the slot is leaving; now it can, there.
      if (error instanceof SlotMoving && keys.length === 1) return this.#evaluate(script, keys, args);
      throw error;
    }
  }

  #evaluate(script: Script, keys: string[], args: (string | number)[]): Promise<unknown> {
    const { lua, sha } = this.clustered ? script.clustered : script.alone;
    return this.#guard(keys[0] ?? "", async () => {
      try {
        return await this.#client.evalsha(sha, keys.length, ...keys, ...args);
      } catch (error) {
        if (Error.isError(error) && error.message.startsWith("NOSCRIPT")) {
          return await this.#client.eval(lua, keys.length, ...keys, ...args);
        }
        throw error;
      }
    });
  }

  /**
   * The same for a script that treats each key by itself: key by key while the slot moves to another master. `argsFor`
   * tells the arguments for some of the keys. Returns the elements that it answered, in the order of the keys.
   */
  async runEach(
    script: Script,
    keys: string[],
    argsFor: (keys: string[]) => (string | number)[],
  ): Promise<unknown[]> {
    try {
      const answer = await this.run(script, keys, argsFor(keys));
      return Array.isArray(answer) ? answer : [answer];
    } catch (error) {
      if (!(error instanceof SlotMoving) || keys.length === 1) throw error;
      const answers = await Promise.all(keys.map((key) => this.run(script, [key], argsFor([key]))));
      return answers.flat();
    }
  }

  /** Values of the keys, in their order. */
  async mget(keys: string[]): Promise<(string | null)[]> {
    if (keys.length === 0) return [];
    if (!this.clustered) return this.#guard("", () => this.#client.mget(...keys));
    return Promise.all(keys.map((key) => this.#guard(key, () => this.#client.get(key))));
  }

  /** Sets values for `ttlMs`. */
  async setAll(entries: [key: string, value: string][], ttlMs: number): Promise<void> {
    await Promise.all(
      entries.map(([key, value]) => this.#guard(key, () => this.#client.set(key, value, "PX", ttlMs))),
    );
  }

  /** The same where there is none yet. */
  async addAll(entries: [key: string, value: string][], ttlMs: number): Promise<void> {
    await Promise.all(
      entries.map(([key, value]) => this.#guard(key, () => this.#client.set(key, value, "PX", ttlMs, "NX"))),
    );
  }

  /** Invalidates: no reader sees these any more, not even after a failover. Throws RedisDown where that is not certain. */
  async delete(keys: string[]): Promise<void> {
    await this.durably(() => Promise.all(keys.map((key) => this.#guard(key, () => this.#client.del(key)))));
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
   * Runs writes and answers only when no failover can undo them any more (see ReplicationBarrier); at once where there are
   * no replicas by design. Throws RedisDown where that is not certain: they are to be made again.
   */
  async durably<T>(writes: () => Promise<T>): Promise<T> {
    const barrier = this.#barrier;
    if (!barrier) return writes();
    const { masters, changes } = { masters: this.#masters(), changes: this.#changes };
    const result = await writes().catch((error: unknown) => {
      // Readers who are refused for this reason may go on reading other keys, but not what this was to change.
      if (error instanceof SlotMoving) this.#watch?.doubt();
      throw error;
    });
    // Bounded by itself; that it takes its time says nothing against Redis.
    const reached = await barrier.reached().catch(() => false);
    // WAIT speaks for its own connection only, and not for a node that was met by a redirection and dropped again.
    const same = changes === this.#changes && sameMembers(masters, this.#masters());
    if (!reached || !same) throw new RedisDown("a failover might undo this");
    return result;
  }

  /** Whether every master answers. */
  async ping(): Promise<boolean> {
    return this.#pingAll().then(
      () => true,
      () => false,
    );
  }

  #connections(): Redis[] {
    return this.#client instanceof Cluster ? this.#client.nodes("all") : [this.#client];
  }

  #masters(): Redis[] {
    return this.#client instanceof Cluster ? this.#client.nodes("master") : [this.#client];
  }

  /** Whether the masters that this process writes to are those that the others know, too. */
  async #inCharge(): Promise<boolean> {
    if (this.#address.kind === "standalone") return true;
    if (this.#client instanceof Redis) {
      const charge = await chargeOf(this.#address, this.#client);
      // The next connection goes to the one that took over.
      if (charge === "deposed") this.#client.stream.destroy();
      return charge === "in charge";
    }
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
      if (reply && SLOT_MOVING.test(error.message)) {
        this.#restUntil.delete(tag);
        throw new SlotMoving(error.message, { cause: error });
      }
      if (ours || (reply && !TRANSIENT.test(error.message))) {
        this.#restUntil.delete(tag);
        throw error;
      }
      // A refused connection answers at once and comes back at once: only a time-out is worth resting for.
      if (error instanceof TimedOut) {
        this.#restUntil.set(tag, Date.now() + TIMEOUTS.rest);
      } else {
        this.#restUntil.delete(tag);
      }
      this.#watch?.doubt();
      throw new RedisDown(Error.isError(error) ? error.message : String(error), { cause: error });
    }
  }
}

const tagOf = (key: string): string => key.slice(key.indexOf("{") + 1, key.indexOf("}"));

const sameMembers = <T>(a: readonly T[], b: readonly T[]): boolean =>
  a.length === b.length && a.every((member) => b.includes(member));
