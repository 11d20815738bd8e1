import fc from "fast-check";
import { BUCKETS } from "../../config/topology.ts";
import {
  type MapEntry,
  nextEpoch,
  ownersOf,
  rangesOf,
  withRangeAt,
} from "../../services/operator/shards/map.ts";
import { type PlannedMove, planBalance } from "../../services/operator/shards/plan.ts";
import "../support/seed.ts";

const mapOf = (owners: string[], shards: string[]): MapEntry[] =>
  shards.map((shard) => ({ shard, buckets: rangesOf(owners, shard) }));
const carriedOut = (map: MapEntry[], moves: PlannedMove[]) =>
  moves.reduce((now, { range, to }) => withRangeAt(now, range, to), map);
const countOf = (map: MapEntry[]) =>
  map.map(({ shard }) => ownersOf(map).filter((owner) => owner === shard).length);

/** Any map of up to six shards, in up to forty pieces; shards may be empty. */
const anyMap = fc
  .tuple(
    fc.integer({ min: 1, max: 6 }),
    fc.array(fc.tuple(fc.nat(BUCKETS - 1), fc.nat(5)), { maxLength: 40 }),
  )
  .map(([count, cuts]) => {
    const shards = Array.from({ length: count }, (_, i) => `s${i}`);
    const starts = new Map(cuts);
    let owner = "s0";
    const owners = Array.from({ length: BUCKETS }, (_, bucket) => {
      const next = starts.get(bucket);
      if (next !== undefined) owner = shards[next % count] ?? owner;
      return owner;
    });
    return mapOf(owners, shards);
  });

describe("a plan that balances shards", () => {
  it("grows one shard to three with two moves of a third each", () => {
    const map: MapEntry[] = [
      { shard: "s0", buckets: [[0, 1023]] },
      { shard: "s1", buckets: [] },
      { shard: "s2", buckets: [] },
    ];
    const moves = planBalance(map);
    expect(moves.map(({ from, to }) => [from, to])).toEqual([
      ["s0", "s2"],
      ["s0", "s1"],
    ]);
    expect(countOf(carriedOut(map, moves)).sort()).toEqual([341, 341, 342]);
  });

  it("takes everything off the shards that are to be empty", () => {
    const map: MapEntry[] = [
      { shard: "s0", buckets: [[0, 341]] },
      { shard: "s1", buckets: [[342, 682]] },
      { shard: "s2", buckets: [[683, 1023]] },
    ];
    expect(planBalance(map, { onto: ["s0"] })).toEqual([
      { range: [342, 682], from: "s1", to: "s0" },
      { range: [683, 1023], from: "s2", to: "s0" },
    ]);
  });

  it("keeps every bucket on one shard, gives shares that differ by one bucket, and moves no more than it must", () => {
    fc.assert(
      fc.property(anyMap, fc.array(fc.nat(5), { minLength: 1, maxLength: 4 }), (map, picked) => {
        const onto = [...new Set(picked.map((i) => map[i % map.length]?.shard ?? ""))];
        const moves = planBalance(map, { onto });
        const after = carriedOut(map, moves);
        const shares = countOf(after).filter((_, i) => onto.includes(map[i]?.shard ?? ""));
        expect(shares.reduce((sum, n) => sum + n, 0)).toBe(BUCKETS);
        expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1);
        const moved = moves.reduce((sum, { range: [first, last] }) => sum + last - first + 1, 0);
        const surplus = countOf(map).reduce(
          (sum, n, i) =>
            sum +
            (onto.includes(map[i]?.shard ?? "") ? Math.max(0, n - Math.ceil(BUCKETS / onto.length)) : n),
          0,
        );
        // Whatever is above the larger share must leave; beyond that, what brings the others up to the smaller one.
        expect(moved).toBeLessThanOrEqual(surplus + onto.length);
      }),
    );
  });

  it("balances by weight as closely as the heaviest bucket allows", () => {
    fc.assert(
      fc.property(
        anyMap,
        fc.array(fc.nat(1_000), { minLength: BUCKETS, maxLength: BUCKETS }),
        (map, weights) => {
          const after = carriedOut(map, planBalance(map, { weights }));
          const owners = ownersOf(after);
          const loads = map.map(({ shard }) =>
            weights.reduce((sum, weight, bucket) => sum + (owners[bucket] === shard ? weight : 0), 0),
          );
          const fair = loads.reduce((sum, load) => sum + load, 0) / loads.length;
          const heaviest = Math.max(...weights);
          for (const load of loads) expect(Math.abs(load - fair)).toBeLessThanOrEqual(heaviest * map.length);
        },
      ),
      { numRuns: 30 },
    );
  });
});

describe("the epoch of the next map", () => {
  it("is the time, and greater than the latest whatever the clock says", () => {
    const [before, next, after] = [Date.now(), nextEpoch(7), Date.now()];
    expect(next).toBeGreaterThanOrEqual(before);
    expect(next).toBeLessThanOrEqual(after);
    const ahead = after + 60_000;
    expect(nextEpoch(ahead)).toBe(ahead + 1);
  });
});
