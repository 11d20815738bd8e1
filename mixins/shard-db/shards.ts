import type { Topology } from "../../config/topology.ts";
import { unavailable } from "../../services/contracts/errors.ts";
import { within } from "../within.ts";
import type { PoolOptions } from "./pools.ts";
import { Router, type ShardMap } from "./router.ts";
import type { Look, ShardServer } from "./server.ts";
import { Shard } from "./shard.ts";

const MAP = "SELECT epoch::float8, map AS shards FROM placement";
/** A shard that does not tell its map by then, in ms, may be about to count as hung; the others have it too. */
const MAP_WITHIN = { first: 5_000, later: 500 } as const;

/**
 * All shards that there are, and the map that says which has what. Both change while a process runs: what is looked at
 * tells when.
 */
export class Shards {
  readonly #topology: Topology;
  readonly #options: PoolOptions & { maxLagMs: number };
  readonly #shards = new Map<string, Shard>();
  readonly #onShard: ((shard: string) => void)[] = [];
  #router: Router | undefined;
  #refreshing: Promise<void> | undefined;
  #closed = false;

  constructor(topology: Topology, options: PoolOptions & { maxLagMs: number }) {
    this.#topology = topology;
    this.#options = options;
  }

  /** Learns the map and starts watching the servers. Throws 503 where no shard answers. */
  async open(): Promise<void> {
    await Promise.all(
      this.#topology.shards.map(({ name, primary, replicas }) => this.#join(name, [primary, ...replicas])),
    );
    await this.refresh().catch(async (error: unknown) => {
      await this.close();
      throw error;
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.all.map((shard) => shard.close()));
  }

  get router(): Router {
    if (!this.#router) throw new Error("ShardDb is not open yet");
    return this.#router;
  }

  get all(): Shard[] {
    return [...this.#shards.values()];
  }

  /** Throws 503 where nobody names its servers. */
  named(name: string): Shard {
    const shard = this.#shards.get(name);
    if (!shard) throw unavailable(`Database shard ${name}, whose servers nobody names,`);
    return shard;
  }

  /** Asks a shard's primary something, as long as it answers at all. Throws 503 where there is none. */
  async ask<T>(name: string, work: (server: ShardServer) => Promise<T>): Promise<T> {
    const { server } = this.named(name).primary;
    return server.within(work(server));
  }

  /** Calls back for every shard: now for those that are known, later for those that join. */
  each(callback: (shard: string) => void): void {
    this.#onShard.push(callback);
    for (const shard of this.router.shards) callback(shard);
  }

  /**
   * Takes the map of the highest epoch that any shard holds, and brings it to those that lack it. Where all have an older one
   * than counted here, a failover has swallowed that: the older one counts again. Throws 503 where none answers.
   */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  /** Gives a shard its servers; one that is new is opened. */
  async #join(name: string, urls: string[]): Promise<void> {
    const known = this.#shards.get(name);
    if (known) return known.setServers(urls);
    const onLook = (shard: Shard, look: Look) => this.#compareMaps(shard, look);
    const shard = new Shard(name, urls, { ...this.#options, epoch: () => this.#router?.epoch ?? 0, onLook });
    this.#shards.set(name, shard);
    await shard.open();
    if (this.#closed) await shard.close();
  }

  /** Resolves with the first newer map, or once all have been asked. */
  async #refresh(): Promise<void> {
    const before = this.#router?.epoch ?? 0;
    const bound = this.#router ? MAP_WITHIN.later : MAP_WITHIN.first;
    const held = new Map<string, ShardMap>();
    const newer = Promise.withResolvers<void>();
    const asked = [...this.#shards.keys()].map(async (name) => {
      const { rows } = await within(
        bound,
        this.ask(name, ({ read }) => read.query<ShardMap>(MAP)),
      );
      if (!rows[0]) return;
      held.set(name, rows[0]);
      // At first nothing is known that could be better than nothing.
      if (before > 0 && (await this.#adopt(rows[0]))) newer.resolve();
    });
    const all = Promise.allSettled(asked).then(async () => {
      const [newest] = [...held.values()].sort((a, b) => b.epoch - a.epoch);
      if (!newest) throw unavailable("The shard map");
      const isLost = newest.epoch < before && held.size === this.#shards.size;
      await this.#adopt(newest, isLost ? 0 : undefined);
      const behind = [...held].filter(([, { epoch }]) => epoch < newest.epoch);
      await Promise.allSettled(behind.map(([name]) => this.#bringMap(name, newest)));
    });
    await Promise.race([newer.promise, all]);
    all.catch(() => {});
  }

  /** From now on this map counts here, if it is newer than what does; whether it is. */
  async #adopt(map: ShardMap, than?: number): Promise<boolean> {
    const isNewer = () => map.epoch > (than ?? this.#router?.epoch ?? -1);
    if (!isNewer()) return false;
    const router = new Router(map);
    const joined = Promise.all(
      map.shards.map(({ shard, servers }) => {
        const seed = this.#topology.shards.find(({ name }) => name === shard);
        const urls = servers ?? (seed ? [seed.primary, ...seed.replicas] : undefined);
        return urls && this.#join(shard, urls);
      }),
    );
    // A new shard that does not answer yet answers 503 for a moment; the others' map is not held up by it.
    await within(MAP_WITHIN.later, joined).catch(() => {});
    if (!isNewer()) return true;
    const before = this.#router;
    for (const name of before ? router.gained(before) : []) this.#shards.get(name)?.gainedBuckets();
    this.#router = router;
    const known = new Set(before?.shards);
    for (const name of router.shards.filter((each) => !known.has(each)))
      for (const callback of this.#onShard) callback(name);
    for (const [name, shard] of this.#shards) {
      if (router.shards.includes(name)) continue;
      this.#shards.delete(name);
      void shard.close();
    }
    return true;
  }

  /** A shard whose commit decided on a map may have died before the others had it: whoever sees that brings it. */
  async #bringMap(name: string, { epoch, shards }: ShardMap): Promise<void> {
    await this.ask(name, (server) =>
      server.write.query("SELECT adopt_map($1, $2)", [epoch, JSON.stringify(shards)]),
    );
  }

  #compareMaps(shard: Shard, { epoch }: Look): void {
    if (!this.#router || epoch === this.#router.epoch || !this.#router.shards.includes(shard.name)) return;
    this.refresh().catch(() => {});
  }
}
