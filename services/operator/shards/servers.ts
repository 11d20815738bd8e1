import pg from "pg";
import type { Topology } from "../../../config/topology.ts";
import { type MapEntry, nextEpoch, type ShardMapRow } from "./map.ts";
import { askServer, bringMap, heldMap, lockMovers, replaceMap, type ServerAnswer } from "./servers.repo.ts";

const CONNECT_WITHIN_MS = 5_000;
/** As long as the largest table takes to be read once (ms). */
const STATEMENT_WITHIN_MS = 60 * 60_000;
/** A killed predecessor's statement ends within a second of its connection. */
const MOVER_WAITS_MS = 5_000;

/** One server of a shard as it answered. `answer` is undefined where it did not. */
export interface SeenServer {
  shard: string;
  url: string;
  answer: ServerAnswer | undefined;
  error?: string;
}

/** The primary of a shard. */
export interface Primary {
  shard: string;
  url: string;
  /** It grows with each promotion. */
  timeline: number;
  client: pg.Client;
}

/** Why an operation on the shards cannot be done. */
export class ShardsError extends Error {
  override name = "ShardsError";
}

/** Opens a connection whose session is its own: not through a pooler that shares sessions. */
export async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: url,
    application_name: "shards",
    connectionTimeoutMillis: CONNECT_WITHIN_MS,
    statement_timeout: STATEMENT_WITHIN_MS,
    keepAlive: true,
    // Rows are compared as text, so both sides must write it alike; and a statement ends with the process that sent it.
    options: [
      "timezone=UTC",
      "datestyle=ISO",
      "intervalstyle=postgres",
      "extra_float_digits=1",
      "bytea_output=hex",
      "client_connection_check_interval=500",
    ]
      .map((setting) => `-c ${setting}`)
      .join(" "),
  });
  client.on("error", () => {});
  await client.connect();
  return client;
}

/**
 * The servers of all shards, found by asking. Of a shard's servers the one that is not in recovery, and on the highest
 * timeline, is its primary. The map of the highest epoch that a primary holds says which shards there are: what a deposed
 * server holds may never have been decided.
 */
export class ShardServers {
  readonly seen: SeenServer[];
  readonly #clients: Map<string, pg.Client>;
  readonly #primaries: Map<string, Primary>;
  #newest: ShardMapRow;

  private constructor(seen: SeenServer[], clients: Map<string, pg.Client>, newest: ShardMapRow) {
    this.seen = seen;
    this.#clients = clients;
    this.#primaries = primariesAmong(seen, clients);
    this.#newest = newest;
  }

  /**
   * Looks at all servers; `elsewhere` names those of shards whose servers are not where the map and the file say. Throws
   * ShardsError where no primary holds a map.
   */
  static async find(
    topology: Topology,
    elsewhere: ReadonlyMap<string, string[]> = new Map(),
  ): Promise<ShardServers> {
    const filed = new Map(
      topology.shards.map(({ name, primary, replicas }) => [name, [primary, ...replicas]]),
    );
    const clients = new Map<string, pg.Client>();
    let places = [...filed, ...elsewhere];
    for (let before = -1; ; ) {
      const seen = await seeAll(new Map(places), clients);
      const newest = newestOf(seen, clients);
      if (!newest) {
        await endAll(clients.values());
        throw new ShardsError(`no shard map was found: ${seen.map(({ error }) => error).join("; ")}`);
      }
      if (newest.epoch === before) return new ShardServers(seen, clients, newest);
      // A server that only this map names may hold a newer one.
      before = newest.epoch;
      places = newest.map.map(({ shard, servers }) => [
        shard,
        elsewhere.get(shard) ?? servers ?? filed.get(shard) ?? [],
      ]);
    }
  }

  get epoch(): number {
    return this.#newest.epoch;
  }

  get map(): MapEntry[] {
    return this.#newest.map;
  }

  get primaries(): Primary[] {
    return [...this.#primaries.values()];
  }

  /** Throws ShardsError where the shard has no primary that answers. */
  primary(shard: string): Primary {
    const primary = this.#primaries.get(shard);
    if (primary) return primary;
    const why = this.seen
      .filter((server) => server.shard === shard)
      .map(
        ({ url, error, answer }) =>
          `${hostOf(url)}: ${error ?? (answer?.inRecovery ? "a replica" : "deposed")}`,
      );
    throw new ShardsError(`shard ${shard} has no primary (${why.join(", ") || "no servers are known"})`);
  }

  /** A further connection to a shard's primary; the caller ends it. */
  connect(shard: string): Promise<pg.Client> {
    return connect(this.primary(shard).url);
  }

  /** Throws ShardsError where another server has taken over a shard since these were found. */
  async requireInCharge(shard: string): Promise<void> {
    const { url, timeline } = this.primary(shard);
    const urls = this.seen.filter((server) => server.shard === shard).map((server) => server.url);
    const fresh = new Map<string, pg.Client>();
    try {
      const now = primariesAmong(await seeAll(new Map([[shard, urls]]), fresh), fresh).get(shard);
      if (now?.url !== url || now.timeline !== timeline) {
        throw new ShardsError(
          `shard ${shard} has failed over to ${now ? hostOf(now.url) : "nobody yet"} meanwhile`,
        );
      }
    } finally {
      await endAll(fresh.values());
    }
  }

  /**
   * Lets nobody else move buckets or change the map as long as these connections last, and brings every shard the newest
   * map. Throws ShardsError where somebody else is at it, or where a shard is away.
   */
  async exclude(): Promise<void> {
    for (const { shard } of this.map.toSorted((a, b) => (a.shard < b.shard ? -1 : 1))) {
      if (await lockMovers(this.primary(shard).client, MOVER_WAITS_MS)) continue;
      throw new ShardsError(
        `another process is moving buckets or changing the map: it holds the lock on shard ${shard}`,
      );
    }
    // Somebody may have changed it until the lock was there.
    await this.refresh();
    await this.spread();
  }

  /** Looks again which map is the newest that a primary holds. */
  async refresh(): Promise<void> {
    for (const { client } of this.primaries) {
      const held = await heldMap(client);
      if (held && held.epoch > this.#newest.epoch) this.#newest = held;
    }
  }

  /** Brings all shards the newest map, or a newer one: that counts from when the first of them has it. */
  async spread(newer: ShardMapRow = this.#newest): Promise<void> {
    this.#newest = newer;
    for (const { client } of this.primaries) await bringMap(client, newer.epoch, newer.map);
  }

  /**
   * Brings all shards the newest map once more, under a newer epoch, a certain shard first. Nodes may know of a decision that
   * was lost with the server that made it: from here on they bring it in vain. False, with nothing changed, where that
   * shard has been brought it already; it is the newest map then.
   */
  async supersede(shard: string): Promise<boolean> {
    const newer = { epoch: nextEpoch(this.epoch), map: this.map };
    if (await replaceMap(this.primary(shard).client, this.epoch, newer)) {
      await this.spread(newer);
      return true;
    }
    await this.refresh();
    await this.spread();
    return false;
  }

  async close(): Promise<void> {
    await endAll(this.#clients.values());
  }
}

/** Where a server is, without credentials. */
export function hostOf(url: string): string {
  const { hostname, port, pathname } = new URL(url);
  return `${hostname}:${port || 5432}${pathname}`;
}

async function seeAll(
  places: ReadonlyMap<string, readonly string[]>,
  clients: Map<string, pg.Client>,
): Promise<SeenServer[]> {
  const all = Array.from(places, ([shard, urls]) => urls.map((url) => see(shard, url, clients)));
  return Promise.all(all.flat());
}

async function see(shard: string, url: string, clients: Map<string, pg.Client>): Promise<SeenServer> {
  try {
    const client = clients.get(url) ?? (await connect(url));
    clients.set(url, client);
    return { shard, url, answer: await askServer(client) };
  } catch (error) {
    return { shard, url, answer: undefined, error: describe(error) };
  }
}

/** A name with several addresses fails with a code and no message. */
function describe(error: unknown): string {
  if (!Error.isError(error)) return String(error);
  return error.message || ("code" in error ? String(error.code) : error.name);
}

/** Throws ShardsError where a server is of another shard than it is said to be. */
function primariesAmong(
  seen: readonly SeenServer[],
  clients: ReadonlyMap<string, pg.Client>,
): Map<string, Primary> {
  const primaries = new Map<string, Primary>();
  for (const { shard, url, answer } of seen) {
    const client = clients.get(url);
    if (!client || !answer || answer.inRecovery || answer.deposed) continue;
    if (answer.shard !== undefined && answer.shard !== shard) {
      throw new ShardsError(`${hostOf(url)} is said to be of shard ${shard}, but is of ${answer.shard}`);
    }
    const { timeline } = answer;
    if (timeline > (primaries.get(shard)?.timeline ?? 0))
      primaries.set(shard, { shard, url, timeline, client });
  }
  return primaries;
}

function newestOf(
  seen: readonly SeenServer[],
  clients: ReadonlyMap<string, pg.Client>,
): ShardMapRow | undefined {
  const inCharge = new Set([...primariesAmong(seen, clients).values()].map(({ url }) => url));
  const maps = seen.flatMap(({ url, answer }) => (inCharge.has(url) ? (answer?.placement ?? []) : []));
  return maps.toSorted((a, b) => b.epoch - a.epoch)[0];
}

async function endAll(clients: Iterable<pg.Client>): Promise<void> {
  await Promise.allSettled(Array.from(clients, (client) => client.end()));
}
