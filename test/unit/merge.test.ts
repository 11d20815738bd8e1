import fc from "fast-check";
import { mergeById, scatter } from "../../mixins/shard-db/scatter.ts";
import { commonFloor, intersect, mergeWindows } from "../../services/timeline/merge.ts";
import "../support/seed.ts";

const id = fc.integer({ min: 1, max: 60 }).map((n) => String(1_000_000_000_000_000_000n + BigInt(n)));
const floor = fc.oneof(fc.constant("0"), id);
/** A windowed list that is right: cut from all the entries there are, shuffled, with repeats and leftovers. */
const listAndTruth = fc
  .record({ truth: fc.uniqueArray(id), floor, repeats: fc.array(fc.nat(50)), leftovers: fc.boolean() })
  .map(({ truth, floor, repeats, leftovers }) => {
    const within = truth.filter((entry) => entry > floor);
    const again = repeats.flatMap((n) => within[n] ?? []);
    return { truth, window: { floor, cut: false, ids: [...again, ...(leftovers ? truth : within)] } };
  });

describe("merging windowed lists", () => {
  it("gives exactly the true entries above the common floor, newest first, each once", () => {
    fc.assert(
      fc.property(fc.array(listAndTruth, { minLength: 1, maxLength: 4 }), (lists) => {
        const windows = lists.map(({ window }) => window);
        const merged = mergeWindows(windows);
        const truth = [...new Set(lists.flatMap((list) => list.truth))].filter(
          (entry) => entry > commonFloor(windows),
        );
        expect(merged.ids).toEqual(truth.sort().reverse());
      }),
    );
  });

  it("keeps to a range, whose ends are exclusive", () => {
    fc.assert(
      fc.property(listAndTruth, id, id, ({ window }, a, b) => {
        const { ids } = mergeWindows([window], { before: a, after: b });
        expect(ids).toEqual(mergeWindows([window]).ids.filter((entry) => entry < a && entry > b));
      }),
    );
  });

  it("says whether the lists go on below the common floor", () => {
    const window = (floor: string, cut: boolean) => ({ ids: [], floor, cut });
    expect(mergeWindows([window("5", true), window("3", false)]).cut).toBe(true);
    expect(mergeWindows([window("5", false), window("3", true)]).cut).toBe(false);
    expect(mergeWindows([window("5", false), window("5", true)]).cut).toBe(false);
  });

  it("narrows ranges from both sides", () => {
    expect(intersect({ before: "9" }, { before: "5", after: "2" })).toEqual({ before: "5", after: "2" });
    expect(intersect({ after: "10" }, { after: "9" })).toEqual({ before: undefined, after: "10" });
  });
});

describe("merging rows of several shards", () => {
  it("is newest first, each id once, at most the limit", () => {
    const lists = [
      [{ id: "30" }, { id: "10" }],
      [{ id: "20" }, { id: "10" }, { id: "9" }],
    ];
    expect(mergeById(lists, 3)).toEqual([{ id: "30" }, { id: "20" }, { id: "10" }]);
  });
});

describe("scatter", () => {
  it("keeps the order of the items and never runs more than its width at once", async () => {
    let running = 0;
    let most = 0;
    const results = await scatter([5, 1, 4, 2, 3], 2, async (n) => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
      return n * 10;
    });
    expect(results).toEqual([50, 10, 40, 20, 30]);
    expect(most).toBe(2);
  });

  it("fails where one item fails", async () => {
    await expect(
      scatter([1, 2], 2, (n) => (n === 2 ? Promise.reject(new Error("no")) : Promise.resolve(n))),
    ).rejects.toThrow("no");
  });
});
