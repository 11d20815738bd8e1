import type { Topology } from "../../../config/topology.ts";
import { migrate } from "../../../mixins/shard-db/migrate.ts";
import { nextEpoch, withoutShard, withServers, withShard } from "./map.ts";
import { tableNames } from "./rows.repo.ts";
import { askServer, bringMap, heldMap } from "./servers.repo.ts";
import { connect, hostOf, ShardServers, ShardsError } from "./servers.ts";

/** Where the servers of a shard are. */
export interface Addresses {
  shard: string;
  primary: string;
  replicas: string[];
}

/** Tells what has been done, in a line. */
export type Told = (line: string) => void;

/**
 * Takes a server that is new, or was added before, into the shard map, with the schema and without buckets. Doing it
 * again ends in the same state. Throws ShardsError where the server is not what it should be: nothing is changed then.
 */
export async function addShard(
  topology: Topology,
  { shard, primary, replicas }: Addresses,
  tell: Told,
): Promise<void> {
  await withShards(topology, new Map(), async (servers) => {
    await requireFree(servers, shard, primary);
    const known = servers.map.find((entry) => entry.shard === shard);
    await migrate({ shards: [{ name: shard, primary, replicas, buckets: [] }] }, tell);
    const urls = [primary, ...replicas];
    const map = known ? withServers(servers.map, shard, urls) : withShard(servers.map, shard, urls);
    const joining = await connect(primary);
    try {
      const epoch = nextEpoch(servers.epoch);
      // The newcomer first: whoever meets the new map finds it ready.
      await bringMap(joining, epoch, map);
      await servers.spread({ epoch, map });
    } finally {
      await joining.end();
    }
    tell(`shard ${shard} is in the map, without buckets: \`npm run shards -- rebalance\` gives it its share`);
  });
}

/** Tells everybody where the servers of a shard are; which one is the primary they find out. Throws ShardsError. */
export async function setServers(
  topology: Topology,
  { shard, primary, replicas }: Addresses,
  tell: Told,
): Promise<void> {
  const urls = [primary, ...replicas];
  await withShards(topology, new Map([[shard, urls]]), async (servers) => {
    servers.primary(shard);
    await servers.spread({ epoch: nextEpoch(servers.epoch), map: withServers(servers.map, shard, urls) });
    tell(`shard ${shard}: ${urls.map(hostOf).join(", ")}`);
  });
}

/** Takes a shard without buckets out of the map. Throws MapError where it has some. */
export async function removeShard(topology: Topology, shard: string, tell: Told): Promise<void> {
  await withShards(topology, new Map(), async (servers) => {
    await servers.spread({ epoch: nextEpoch(servers.epoch), map: withoutShard(servers.map, shard) });
    tell(`shard ${shard} is not in the map any more: its servers can be stopped`);
  });
}

/** Finds the servers, excludes other movers, does `work`, and lets go of them. */
export async function withShards<T>(
  topology: Topology,
  elsewhere: ReadonlyMap<string, string[]>,
  work: (servers: ShardServers) => Promise<T>,
): Promise<T> {
  const servers = await ShardServers.find(topology, elsewhere);
  try {
    await servers.exclude();
    return await work(servers);
  } finally {
    await servers.close();
  }
}

/** Throws ShardsError where a server cannot become a shard of this name: it holds something else. */
async function requireFree(servers: ShardServers, shard: string, url: string): Promise<void> {
  const same = servers.primaries.find((primary) => primary.url === url && primary.shard !== shard);
  if (same) throw new ShardsError(`${hostOf(url)} is shard ${same.shard}`);
  const owned = servers.map.find((entry) => entry.shard === shard)?.buckets ?? [];
  if (owned.length > 0)
    throw new ShardsError(`shard ${shard} has buckets already: see \`npm run shards -- servers\``);
  const client = await connect(url).catch((error: Error) => {
    throw new ShardsError(`${hostOf(url)}: ${error.message || "does not answer"}`);
  });
  try {
    const { shard: says, inRecovery } = await askServer(client);
    if (inRecovery) throw new ShardsError(`${hostOf(url)} is a replica: name the primary`);
    if (says !== undefined && says !== shard) throw new ShardsError(`${hostOf(url)} is of a shard ${says}`);
    if (says === undefined && (await tableNames(client)).some((name) => name !== "schema_migrations")) {
      throw new ShardsError(`${hostOf(url)} has tables of something else: it should be an empty database`);
    }
    const held = says === undefined ? undefined : await heldMap(client);
    if (held?.map.some((entry) => entry.shard === shard && entry.buckets.length > 0 && held.epoch > 1)) {
      throw new ShardsError(
        `${hostOf(url)} has buckets of another deployment: it should be an empty database`,
      );
    }
  } finally {
    await client.end();
  }
}
