import type { Topology } from "../config/topology.ts";
import { withShards } from "../services/operator/shards/change-map.ts";
import { type MapEntry, nextEpoch, withServers } from "../services/operator/shards/map.ts";
import { ShardServers } from "../services/operator/shards/servers.ts";

/** The URLs of each shard's servers, whatever their roles. */
export type ServersOf = ReadonlyMap<string, string[]>;

/**
 * Has the shard map name the servers of one shard, or, where none is given, of all whose servers it names already, through
 * a map of its own epoch. Running nodes learn of them from it. Returns the shards that this changed.
 * @throws ShardsError in one line where somebody else is changing the map, or a shard does not answer
 */
export function nameServers(topology: Topology, servers: ServersOf, only?: string): Promise<string[]> {
  return withShards(topology, servers, async (found) => {
    const changed = outdated(found.map, servers, only);
    if (changed.length === 0) return changed;
    const map = changed.reduce(
      (entries, shard) => withServers(entries, shard, servers.get(shard) ?? []),
      found.map,
    );
    await found.spread({ epoch: nextEpoch(found.epoch), map });
    return changed;
  });
}

/** Whether the newest shard map names a shard. Throws ShardsError where no map is found. */
export async function mapNames(topology: Topology, shard: string): Promise<boolean> {
  const found = await ShardServers.find(topology);
  await found.close();
  return found.map.some((entry) => entry.shard === shard);
}

/** The shards, of those to be named, of which the map names other servers, or none. Pure. */
export function outdated(map: readonly MapEntry[], servers: ServersOf, only?: string): string[] {
  return map
    .filter(({ shard, servers: named }) => {
      const urls = servers.get(shard);
      const isToBeNamed = only === undefined ? named !== undefined : shard === only;
      return urls !== undefined && isToBeNamed && named?.toSorted().join() !== urls.toSorted().join();
    })
    .map(({ shard }) => shard);
}
