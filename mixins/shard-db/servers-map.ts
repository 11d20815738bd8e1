import type pg from "pg";
import type { ShardConfig, Topology } from "../../config/topology.ts";
import { connectPrimary } from "./find-primary.ts";
import { sqlState } from "./pools.ts";
import type { ShardMap } from "./router.ts";

/** Whoever moves buckets or changes the map holds this lock on every shard. */
const MAP_LOCK = 7_072_010;
const LOCK_WITHIN_MS = 5_000;

export interface SetServersOptions {
  /** Changes only what the map names already; shards whose servers it leaves to the topology file stay so. */
  onlyNamed?: boolean;
}

/**
 * Has the shard map name these servers (URLs, whatever their roles) for shards, through a map of its own epoch, from which
 * running nodes learn of them. Shards that the map does not have, or that have these servers in it already, stay as they
 * are. Returns the names of those that changed.
 *
 * A shard that does not answer gets the map later, from whoever sees that it lacks it; at least one must answer.
 * @throws a one-line error where somebody else is changing the map, or no shard answers
 */
export async function setServers(
  topology: Topology,
  wanted: ReadonlyMap<string, readonly string[]>,
  { onlyNamed = false }: SetServersOptions = {},
): Promise<string[]> {
  const primaries = new Map<string, pg.Client>();
  try {
    await connectAll(topology.shards, primaries);
    const elsewhere = unknownShards(await newestMap(primaries), topology);
    await connectAll(elsewhere, primaries);
    for (const name of [...primaries.keys()].sort()) await lockMap(name, primaries.get(name));
    const newest = await newestMap(primaries);
    if (newest === undefined) return [];
    const { shards, changed } = withServers(newest, wanted, onlyNamed);
    if (changed.length === 0) return [];
    const map = JSON.stringify(shards);
    await Promise.all(
      [...primaries.values()].map((client) =>
        client.query("SELECT adopt_map($1, $2)", [newest.epoch + 1, map]),
      ),
    );
    return changed;
  } finally {
    await Promise.allSettled([...primaries.values()].map((client) => client.end()));
  }
}

/** The newest map that any shard holds; undefined where none has been seeded. Throws where no shard answers. */
export async function readNewestMap(topology: Topology): Promise<ShardMap | undefined> {
  const primaries = new Map<string, pg.Client>();
  try {
    await connectAll(topology.shards, primaries);
    return await newestMap(primaries);
  } finally {
    await Promise.allSettled([...primaries.values()].map((client) => client.end()));
  }
}

/** The map with other servers, and the shards that this changes. Pure. */
export function withServers(
  { shards }: ShardMap,
  wanted: ReadonlyMap<string, readonly string[]>,
  onlyNamed: boolean,
): { shards: ShardMap["shards"]; changed: string[] } {
  const changed: string[] = [];
  const next = shards.map((entry) => {
    const urls = wanted.get(entry.shard);
    if (urls === undefined || (entry.servers === undefined && onlyNamed)) return entry;
    if (entry.servers?.toSorted().join() === urls.toSorted().join()) return entry;
    changed.push(entry.shard);
    return { ...entry, servers: [...urls] };
  });
  return { shards: next, changed };
}

/** Shards that only the map knows of. */
function unknownShards(map: ShardMap | undefined, topology: Topology): ShardConfig[] {
  const known = new Set(topology.shards.map(({ name }) => name));
  return (map?.shards ?? []).flatMap(({ shard, buckets, servers: [primary, ...replicas] = [] }) =>
    primary === undefined || known.has(shard) ? [] : { name: shard, primary, replicas, buckets },
  );
}

/** Connects to those primaries that answer. Throws where none of all does. */
async function connectAll(shards: readonly ShardConfig[], primaries: Map<string, pg.Client>): Promise<void> {
  const found = await Promise.allSettled(
    shards.map(async (shard) => {
      const client = await connectPrimary(shard);
      primaries.set(shard.name, client);
      // What a failover loses of the map is brought again: it need not wait for a standby.
      await client.query("SET synchronous_commit = local");
    }),
  );
  const failed = found.find((result) => result.status === "rejected");
  if (primaries.size === 0 && failed !== undefined) throw failed.reason;
}

async function lockMap(shard: string, client: pg.Client | undefined): Promise<void> {
  try {
    await client?.query(`SET lock_timeout = ${LOCK_WITHIN_MS}`);
    await client?.query("SELECT pg_advisory_lock($1)", [MAP_LOCK]);
  } catch (error) {
    if (sqlState(error) !== "55P03") throw error;
    throw new Error(`the shard map is being changed by another process: it holds the lock on shard ${shard}`);
  }
}

async function newestMap(primaries: ReadonlyMap<string, pg.Client>): Promise<ShardMap | undefined> {
  const maps = await Promise.all(
    [...primaries.values()].map(async (client) => {
      const { rows } = await client.query<{ there: boolean }>(
        "SELECT to_regclass('placement') IS NOT NULL AS there",
      );
      if (rows[0]?.there !== true) return [];
      return (await client.query<ShardMap>("SELECT epoch::int, map AS shards FROM placement")).rows;
    }),
  );
  return maps.flat().sort((a, b) => b.epoch - a.epoch)[0];
}
