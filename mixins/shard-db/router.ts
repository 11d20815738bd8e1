import { BUCKETS, type BucketRange } from "../../config/topology.ts";
import { bucketOf, bucketOfHandle } from "./ids.ts";

/** What a row is placed by. A repo cannot ask for a shard without saying which. */
export type Placement = { id: string } | { handle: string } | { bucket: number };

/**
 * Which shard has which buckets, as of an epoch. Postgres holds it; this is a copy. `servers` are the URLs of a shard's servers,
 * whatever their roles; without them those of the topology file.
 */
export interface ShardMap {
  epoch: number;
  shards: { shard: string; buckets: BucketRange[]; servers?: string[] }[];
}

/** The bucket of a placement. */
export function bucketFor(at: Placement): number {
  if ("id" in at) return bucketOf(at.id);
  if ("handle" in at) return bucketOfHandle(at.handle);
  return at.bucket;
}

/** Answers bucket → shard name in O(1). Pure: built anew from each map. */
export class Router {
  readonly epoch: number;
  readonly shards: string[];
  readonly #map: ShardMap;
  readonly #byBucket: string[];

  /** Throws where a bucket is on no shard or on two. */
  constructor(map: ShardMap) {
    this.#map = map;
    this.epoch = map.epoch;
    this.shards = map.shards.map(({ shard }) => shard);
    this.#byBucket = new Array(BUCKETS);
    let placed = 0;
    for (const { shard, buckets } of map.shards) {
      for (const [first, last] of buckets) {
        for (let bucket = first; bucket <= last; bucket++) {
          if (this.#byBucket[bucket])
            throw new Error(`bucket ${bucket} is on two shards in epoch ${map.epoch}`);
          this.#byBucket[bucket] = shard;
          placed++;
        }
      }
    }
    if (placed !== BUCKETS)
      throw new Error(`${BUCKETS - placed} buckets are on no shard in epoch ${map.epoch}`);
  }

  /** The ranges that a shard has; none where the map does not name it. */
  bucketsOf(name: string): readonly BucketRange[] {
    return this.#map.shards.find(({ shard }) => shard === name)?.buckets ?? [];
  }

  shardOf(at: Placement): string {
    const bucket = bucketFor(at);
    const shard = this.#byBucket[bucket];
    if (!shard) throw new RangeError(`bucket ${bucket} is outside 0-${BUCKETS - 1}`);
    return shard;
  }

  /** The shards that have buckets which, by an older map, they had not. */
  gained(before: Router): string[] {
    const moved = this.#byBucket.filter((shard, bucket) => before.#byBucket[bucket] !== shard);
    return [...new Set(moved)];
  }

  /** Groups ids by shard, keeping their order within each. */
  group(ids: Iterable<string>): Map<string, string[]> {
    const groups = new Map<string, string[]>();
    for (const id of ids) {
      const shard = this.shardOf({ id });
      const group = groups.get(shard);
      if (group) group.push(id);
      else groups.set(shard, [id]);
    }
    return groups;
  }
}
