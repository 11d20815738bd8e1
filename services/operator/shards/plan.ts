import { BUCKETS, type BucketRange } from "../../../config/topology.ts";
import { type MapEntry, MapError, ownersOf } from "./map.ts";

/** A range that is to move. */
export interface PlannedMove {
  range: BucketRange;
  from: string;
  to: string;
}

/**
 * The moves after which the shards of `onto` (default: all) have as equal a share as buckets allow, and the others nothing.
 * `weights`: of each bucket what counts (default: all the same). Buckets leave only shards that have too much, from the end
 * of what they have, so few move, in few ranges. Pure. Throws MapError where `onto` names a shard that the map does not.
 */
export function planBalance(
  map: readonly MapEntry[],
  { onto, weights = [] }: { onto?: readonly string[]; weights?: readonly number[] } = {},
): PlannedMove[] {
  const shards = map.map(({ shard }) => shard);
  const staying = onto ?? shards;
  const unknown = staying.find((shard) => !shards.includes(shard));
  if (unknown !== undefined) throw new MapError(`the map has no shard ${unknown}`);
  if (staying.length === 0) throw new MapError("there must be a shard to move buckets to");
  const weightOf = (bucket: number) => weights[bucket] ?? 1;
  const before = ownersOf(map);
  const after = before.slice();
  const loads = new Map(shards.map((shard) => [shard, 0]));
  before.forEach((shard, bucket) => void loads.set(shard, loadOf(loads, shard) + weightOf(bucket)));
  const fair = [...loads.values()].reduce((sum, load) => sum + load, 0) / staying.length;
  const lightest = () => staying.toSorted((a, b) => loadOf(loads, a) - loadOf(loads, b))[0] ?? "";
  let to = lightest();
  for (const from of shards) {
    for (let bucket = BUCKETS - 1; bucket >= 0; bucket--) {
      const weight = weightOf(bucket);
      if (before[bucket] !== from) continue;
      if (staying.includes(from) && loadOf(loads, from) - weight < fair - weight / 2) break;
      // One shard is filled up before the next, so that what moves together stays together.
      if (loadOf(loads, to) + weight / 2 > fair || to === from) to = lightest();
      if (staying.includes(from) && loadOf(loads, from) - weight <= loadOf(loads, to)) break;
      after[bucket] = to;
      loads.set(from, loadOf(loads, from) - weight);
      loads.set(to, loadOf(loads, to) + weight);
    }
  }
  return rangesThatMove(before, after);
}

function rangesThatMove(before: readonly string[], after: readonly string[]): PlannedMove[] {
  const moves: { range: [number, number]; from: string; to: string }[] = [];
  after.forEach((to, bucket) => {
    const from = before[bucket] ?? "";
    if (from === to) return;
    const latest = moves.at(-1);
    if (latest && latest.range[1] === bucket - 1 && latest.from === from && latest.to === to)
      latest.range[1] = bucket;
    else moves.push({ range: [bucket, bucket], from, to });
  });
  return moves;
}

const loadOf = (loads: ReadonlyMap<string, number>, shard: string): number => loads.get(shard) ?? 0;
