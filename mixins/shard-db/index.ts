import type { Topology } from "../../config/topology.ts";
import { errorCode, unavailable } from "../../services/contracts/errors.ts";
import { isDemoted, isOutage, NotSent, type PoolOptions, sqlState, translate } from "./pools.ts";
import { onOneConnection, readReplica, readUpTo, requireUnchanged, STATE, StaleMap } from "./reads.ts";
import { bucketFor, type Placement, type Router } from "./router.ts";
import { mergeById, scatter } from "./scatter.ts";
import { currentSession, type SessionView } from "./session.ts";
import type { Reader, ReplicaState, Shard } from "./shard.ts";
import { Shards } from "./shards.ts";
import { type Snapshots, takeSnapshots } from "./snapshots.ts";
import { run, type Statement } from "./sql.ts";
import { type Body, inTransaction, isRetried, type Tx, transact } from "./transactions.ts";

export type { Placement } from "./router.ts";
export { sql } from "./sql.ts";
export type { Tx } from "./transactions.ts";

const SCATTER_WIDTH = 16;
const TRIES = 4;
export interface ReadOptions {
  /**
   * "session": a replica that has what the session has written and seen, for what only answers that session. "anyone": any
   * replica, for what never changes; what it lacks is to be asked of the primary. "latest": a replica that has everything by
   * now, for what is much and kept for others; it costs a small question to the primary. Default: the primary, for what
   * decides a write or who may see what.
   */
  from?: "primary" | "session" | "anyone" | "latest";
  /** What an answer can do without: where a shard is away, a request that only reads goes on, and names it (`lacks`). */
  partial?: boolean;
}

export interface DbOptions extends PoolOptions {
  /** A replica that is further behind serves no reads, in ms. The same in all processes. Default 5,000. */
  maxLagMs?: number;
  /** Told who answered each read that a replica may answer, and why it was not one. */
  onRead?: (shard: string, reader: { isReplica: boolean; excuse?: string }) => void;
}

const MAX_LAG_MS = 5_000;

/** What was together on one shard is so no more. */
class Apart extends Error {
  override name = "Apart";
}

/**
 * All shards as one database. Every call says what it routes by; writes go through the fence of their buckets
 * (`enter_write`). A shard that cannot be reached answers with a 503 within bounded time (see TIMEOUTS). Servers that take
 * over, replicas, shards and maps that are new are found while it runs.
 */
export class ShardDb {
  readonly #shards: Shards;
  readonly #onRead: DbOptions["onRead"];

  constructor(topology: Topology, { maxLagMs = MAX_LAG_MS, onRead, ...pools }: DbOptions) {
    this.#shards = new Shards(topology, { maxLagMs, ...pools });
    this.#onRead = onRead;
  }

  /** Learns the shard map and starts watching the servers. Throws 503 where no shard answers. */
  open(): Promise<void> {
    return this.#shards.open();
  }

  close(): Promise<void> {
    return this.#shards.close();
  }

  get router(): Router {
    return this.#shards.router;
  }

  get shards(): string[] {
    return this.router.shards;
  }

  shardOf(at: Placement): string {
    return this.router.shardOf(at);
  }

  /** Calls back for every shard: now for those that are known, later for those that join. */
  eachShard(callback: (shard: string) => void): void {
    this.#shards.each(callback);
  }

  /** Takes the newest map that any shard holds. Throws 503 where none answers. */
  refreshMap(): Promise<void> {
    return this.#shards.refresh();
  }

  /** Runs one reading statement on the shard of `at`. */
  read<Row>(at: Placement, statement: Statement<Row>, options: ReadOptions = {}): Promise<Row[]> {
    return this.#routed(() => this.#readOn(this.shardOf(at), statement, options));
  }

  /** Runs one reading statement on a shard that is known by name. */
  readShard<Row>(shard: string, statement: Statement<Row>, options: ReadOptions = {}): Promise<Row[]> {
    return this.#routed(() => this.#readOn(shard, statement, options));
  }

  /** Asks each shard for its part of `ids`, in parallel; the rows come in no particular order. */
  readByIds<Row>(
    ids: Iterable<string>,
    statement: (ids: string[]) => Statement<Row>,
    options: ReadOptions = {},
  ): Promise<Row[]> {
    return this.readBy(new Set(ids), (id) => ({ id }), statement, options);
  }

  /** The same for what is placed otherwise; `placed` says by what. */
  async readBy<Item, Row>(
    items: Iterable<Item>,
    placed: (item: Item) => Placement,
    statement: (items: Item[]) => Statement<Row>,
    options: ReadOptions = {},
  ): Promise<Row[]> {
    const wanted = [...items];
    const parts = await this.#routed(() =>
      scatter(
        Map.groupBy(wanted, (item) => this.shardOf(placed(item))),
        SCATTER_WIDTH,
        ([shard, group]) => this.#readPart(shard, statement(group), options),
      ),
    );
    return parts.flat();
  }

  /** Asks the shards of `ids` and merges their rows by id, newest first, at most `limit`. */
  async mergeByIds<Row extends { id: string }>(
    ids: Iterable<string>,
    limit: number,
    statement: (ids: string[]) => Statement<Row>,
    options: ReadOptions = {},
  ): Promise<Row[]> {
    return mergeById([await this.readByIds(ids, statement, options)], limit);
  }

  /** Asks every shard; the rows come in no particular order. */
  async readAll<Row>(statement: Statement<Row>, options: ReadOptions = {}): Promise<Row[]> {
    const parts = await this.#routed(() =>
      scatter(this.shards, SCATTER_WIDTH, (shard) => this.#readPart(shard, statement, options)),
    );
    return parts.flat();
  }

  /** Whether the request goes without a shard: what was not found may exist then. */
  get isLacking(): boolean {
    return (currentSession()?.lacks.size ?? 0) > 0;
  }

  /** Every shard's primary as of one moment (see takeSnapshots); the caller closes them. Throws 503. */
  snapshots(): Promise<Snapshots> {
    return takeSnapshots(
      this.shards.map((name) => ({ name, read: this.#shards.named(name).primary.server.read })),
    );
  }

  /** Runs one writing statement in a transaction of its own, in a single round trip. */
  write<Row>(at: Placement, statement: Statement<Row>): Promise<Row[]> {
    return this.#attempt(
      () => ({ shard: this.shardOf(at), buckets: [bucketFor(at)] }),
      async (client, { entered, commit }) => {
        const rows = run(client, statement);
        const [, result] = await Promise.all([entered, rows, commit()]);
        return result;
      },
    );
  }

  /**
   * Runs `work` in one transaction on the shard of `at` (several placements must share it) and commits. Retried as a
   * whole on a stale map, a deadlock or an id taken twice, so `work` must have no effects outside the transaction.
   * `besides`: entered as well where it is on the same shard (see Tx.has), so that it cannot leave meanwhile.
   */
  transaction<T>(
    at: Placement | Placement[],
    work: (tx: Tx) => Promise<T>,
    { besides = [] }: { besides?: Placement[] } = {},
  ): Promise<T> {
    const placements = Array.isArray(at) ? at : [at];
    const route = () => {
      const [shard, ...others] = new Set(placements.map((placement) => this.shardOf(placement)));
      if (shard === undefined || others.length > 0) throw new Apart("a transaction stays on one shard");
      const here = besides.filter((placement) => this.shardOf(placement) === shard);
      return { shard, buckets: [...new Set([...placements, ...here].map(bucketFor))] };
    };
    return this.#attempt(route, inTransaction(work));
  }

  /**
   * Runs `work` on the part of `ids` that each shard has, in a transaction each that has entered their buckets. Where
   * buckets move meanwhile, what is not committed yet is grouped anew. Returns what each came to.
   */
  async transactionsByIds<T>(
    ids: Iterable<string>,
    work: (tx: Tx, ids: string[]) => Promise<T>,
  ): Promise<T[]> {
    const results: T[] = [];
    const left = new Set(ids);
    while (left.size > 0) {
      const [[, group = []] = []] = this.router.group(left);
      try {
        results.push(
          await this.transaction(
            group.map((id) => ({ id })),
            (tx) => work(tx, group),
          ),
        );
      } catch (error) {
        if (error instanceof Apart) continue;
        throw error;
      }
      for (const id of group) left.delete(id);
    }
    return results;
  }

  /**
   * One transaction on a shard known by name, for work that finds its rows there, among those of buckets that it owns: it enters
   * them with `tx.enter` before it writes.
   */
  transactionOn<T>(shard: string, work: (tx: Tx) => Promise<T>): Promise<T> {
    return this.#attempt(() => ({ shard, buckets: [] }), inTransaction(work));
  }

  get hasReplicas(): boolean {
    return this.#shards.all.some((shard) => shard.hasReplicas);
  }

  /** Resolves once no replica that serves reads lacks what a session has reached; bounded by the greatest lag. */
  async isEverywhere(view: SessionView): Promise<void> {
    await Promise.all(
      Object.keys(view.news).map(async (name) => {
        const at = view.floor(name);
        if (at) await this.#shards.named(name).isEverywhere(at);
      }),
    );
  }

  /** Who is in charge of each shard: whether somebody is, and on which timeline. */
  shardStates(): { shard: string; hasPrimary: boolean; timeline: number }[] {
    return this.#shards.all.map(({ name, hasPrimary, timeline }) => ({ shard: name, hasPrimary, timeline }));
  }

  /** How each replica of each shard stands. */
  replicaStates(): (ReplicaState & { shard: string })[] {
    return this.#shards.all.flatMap((shard) =>
      shard.states().map((state) => ({ shard: shard.name, ...state })),
    );
  }

  /** Which shards answer, within the connect time-out. */
  async ping(): Promise<{ shard: string; ok: boolean }[]> {
    return Promise.all(
      this.shards.map((shard) =>
        this.#shards
          .ask(shard, (server) => server.read.query("SELECT 1"))
          .then(
            () => ({ shard, ok: true }),
            () => ({ shard, ok: false }),
          ),
      ),
    );
  }

  /** Runs work that routes by the map, once more where that turns out to be old. */
  async #routed<T>(work: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof StaleMap)) throw error;
        if (tries === TRIES) throw unavailable("The shard map");
        await this.refreshMap();
      }
    }
  }

  async #readPart<Row>(shard: string, statement: Statement<Row>, options: ReadOptions): Promise<Row[]> {
    try {
      return await this.#readOn(shard, statement, options);
    } catch (error) {
      const session = options.partial ? currentSession() : undefined;
      if (!session?.mayLack || errorCode(error) !== "UNAVAILABLE") throw error;
      session.lacks.add(shard);
      return [];
    }
  }

  async #readOn<Row>(name: string, statement: Statement<Row>, { from }: ReadOptions): Promise<Row[]> {
    const shard = this.#shards.named(name);
    const session = from === "session" ? currentSession() : undefined;
    const reader = this.#readerOf(shard, from, session);
    if (reader?.isReplica) {
      try {
        const rows =
          from === "latest"
            ? await this.#readLatest(shard, reader, statement)
            : await reader.server.within(readReplica(reader, statement, session, name));
        if (rows) {
          this.#onRead?.(name, reader);
          return rows;
        }
        reader.excuse = "behind";
      } catch (error) {
        if (error instanceof StaleMap) throw error;
        if (isOutage(error)) void reader.server.ask();
      }
    }
    try {
      return await this.#readPrimary(shard, statement, session);
    } catch (error) {
      if (isOutage(error) || isDemoted(error)) void shard.findsAnother();
      throw translate(error, name);
    } finally {
      const excuse = reader?.excuse ?? (from && from !== "primary" ? "no session" : "required");
      if (from || currentSession()) this.#onRead?.(name, { isReplica: false, excuse });
    }
  }

  #readerOf(shard: Shard, from: ReadOptions["from"], session: SessionView | undefined): Reader | undefined {
    if (!shard.hasReplicas) return undefined;
    if (from === "anyone" || from === "latest") return shard.readerForAnyone();
    return session && shard.readerFor(session);
  }

  async #readLatest<Row>(
    shard: Shard,
    { server }: Reader,
    statement: Statement<Row>,
  ): Promise<Row[] | undefined> {
    const { epoch } = this.router;
    const primary = await shard.primaryNow();
    const [state] = await primary.server.within(run(primary.server.read, STATE));
    const { position } = requireUnchanged(state, epoch, primary.look.timeline);
    return server.within(readUpTo(server, statement, Number(position)));
  }

  /** Reads on the primary; a session that reads there has seen all that is there. */
  async #readPrimary<Row>(
    shard: Shard,
    statement: Statement<Row>,
    session: SessionView | undefined,
  ): Promise<Row[]> {
    const { server, look } = await shard.primaryNow();
    const marks = session && shard.hasReplicas;
    if (!marks && !shard.isInFlux) return server.within(run(server.read, statement));
    const { epoch } = this.router;
    return server.within(
      onOneConnection(server.read, async (client) => {
        const rows = run(client, statement);
        const after = run(client, STATE);
        const [result, [state]] = await Promise.all([rows, after]);
        const { timeline, position } = requireUnchanged(state, epoch, look.timeline);
        if (marks) session.reached(shard.name, { timeline, position: Number(position) });
        return result;
      }),
    );
  }

  async #attempt<T>(route: () => { shard: string; buckets: number[] }, body: Body<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      const { shard, buckets } = route();
      try {
        return await this.#enter(this.#shards.named(shard), buckets, body);
      } catch (error) {
        const mayBeLost = isDemoted(error) || error instanceof NotSent;
        const other = mayBeLost && (await this.#shards.named(shard).findsAnother());
        if (tries === TRIES || !(other || isRetried(error))) throw translate(error, shard);
        if (sqlState(error) === "RS001") await this.refreshMap();
      }
    }
  }

  async #enter<T>(shard: Shard, buckets: number[], body: Body<T>): Promise<T> {
    const { server, look } = await shard.primaryNow();
    const session = shard.hasReplicas ? currentSession() : undefined;
    const at = { shard: shard.name, epoch: this.router.epoch, timeline: look.timeline };
    const reached = (position: number) => session?.wroteOn(shard.name, { timeline: look.timeline, position });
    return server.within(transact(server.write, buckets, at, session && reached, body));
  }
}
