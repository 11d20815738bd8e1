import { BUCKETS, type BucketRange } from "../../../config/topology.ts";

/** A shard as the map names it. */
export interface MapEntry {
  shard: string;
  buckets: BucketRange[];
  /** Where its servers are; absent: where the topology file says. */
  servers?: string[];
}

/** The shard map as Postgres holds it. */
export interface ShardMapRow {
  epoch: number;
  map: MapEntry[];
}

/** Why a map cannot be changed as asked. */
export class MapError extends Error {
  override name = "MapError";
}

/**
 * The epoch of the next map: when it is made, in ms since 1970, and greater than the latest. So one that a failover has
 * swallowed, and that some processes have heard of, does not come again with another map.
 */
export function nextEpoch(latest: number): number {
  return Math.max(latest + 1, Date.now());
}

/** The shard of each bucket. Throws MapError where one is on no shard or on two. */
export function ownersOf(map: readonly MapEntry[]): string[] {
  const owners = new Array<string>(BUCKETS);
  for (const { shard, buckets } of map) {
    for (const [first, last] of buckets) {
      for (let bucket = first; bucket <= last; bucket++) {
        if (owners[bucket] !== undefined) throw new MapError(`bucket ${bucket} is on two shards`);
        owners[bucket] = shard;
      }
    }
  }
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    if (owners[bucket] === undefined) throw new MapError(`bucket ${bucket} is on no shard`);
  }
  return owners;
}

/** The one shard that has all buckets of a range. Throws MapError where several have them. */
export function ownerOf(map: readonly MapEntry[], [first, last]: BucketRange): string {
  const owners = new Set(ownersOf(map).slice(first, last + 1));
  const [owner, ...others] = owners;
  if (owner === undefined || others.length > 0) {
    throw new MapError(`buckets ${first}-${last} are on ${[...owners].join(" and ")}: move them apart`);
  }
  return owner;
}

/** The map once a range of buckets is on another shard. Throws MapError where the map does not name that shard. */
export function withRangeAt(map: readonly MapEntry[], [first, last]: BucketRange, to: string): MapEntry[] {
  requireShard(map, to);
  const owners = ownersOf(map).map((owner, bucket) => (bucket >= first && bucket <= last ? to : owner));
  return map.map((entry) => ({ ...entry, buckets: rangesOf(owners, entry.shard) }));
}

/** The map with one more shard, which has no buckets yet. Throws MapError where there is one of that name. */
export function withShard(map: readonly MapEntry[], shard: string, servers: string[]): MapEntry[] {
  if (map.some((entry) => entry.shard === shard)) throw new MapError(`the map has a shard ${shard} already`);
  return [...map, { shard, buckets: [], servers }];
}

/** The map with other servers for a shard. Throws MapError where there is no such shard. */
export function withServers(map: readonly MapEntry[], shard: string, servers: string[]): MapEntry[] {
  requireShard(map, shard);
  return map.map((entry) => (entry.shard === shard ? { ...entry, servers } : entry));
}

/** The map without a shard. Throws MapError where it has buckets, or where there is no such shard. */
export function withoutShard(map: readonly MapEntry[], shard: string): MapEntry[] {
  const { buckets } = requireShard(map, shard);
  if (buckets.length > 0) {
    throw new MapError(`shard ${shard} has buckets ${describeRanges(buckets)}: move them away first`);
  }
  return map.filter((entry) => entry.shard !== shard);
}

/** The buckets of a shard as the fewest ranges. */
export function rangesOf(owners: readonly string[], shard: string): BucketRange[] {
  const ranges: [number, number][] = [];
  owners.forEach((owner, bucket) => {
    if (owner !== shard) return;
    const latest = ranges.at(-1);
    if (latest?.[1] === bucket - 1) latest[1] = bucket;
    else ranges.push([bucket, bucket]);
  });
  return ranges;
}

/** Ranges as people write them: "0-341, 700". */
export function describeRanges(ranges: readonly BucketRange[]): string {
  return (
    ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(", ") || "none"
  );
}

function requireShard(map: readonly MapEntry[], shard: string): MapEntry {
  const entry = map.find((candidate) => candidate.shard === shard);
  if (!entry) {
    throw new MapError(
      `the map has no shard ${shard}; it has ${map.map((candidate) => candidate.shard).join(", ")}`,
    );
  }
  return entry;
}
