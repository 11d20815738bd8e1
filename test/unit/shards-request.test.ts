import { UsageError } from "../../config/command-line.ts";
import { withoutShard, withRangeAt, withServers, withShard } from "../../services/operator/shards/map.ts";
import { readRequest } from "../../services/operator/shards/request.ts";
import { describeEvent, size } from "../../services/operator/shards/show.ts";
import { differing, stuck } from "../../services/operator/shards/verify.ts";

const URL = "postgres://u:p@db:5432/roost";
const requestOf = (line: string) => readRequest(line.split(" "))?.request;

describe("the arguments of shards", () => {
  it.each([
    ["status", { do: "status" }],
    ["move --buckets 3-17 --to s1", { do: "move", range: [3, 17], to: "s1" }],
    ["move --buckets 5 --to s1", { do: "move", range: [5, 5], to: "s1" }],
    [
      `add s1 --primary ${URL} --replica ${URL}2`,
      { do: "add", shard: "s1", primary: URL, replicas: [`${URL}2`] },
    ],
    [`servers s1 --primary ${URL}`, { do: "servers", shard: "s1", primary: URL, replicas: [] }],
    ["rebalance", { do: "rebalance", onto: undefined, by: "buckets", planOnly: false }],
    [
      "rebalance --onto s0,s2 --by rows --plan",
      { do: "rebalance", onto: ["s0", "s2"], by: "rows", planOnly: true },
    ],
    ["remove s1", { do: "remove", shard: "s1" }],
    ["abort", { do: "abort", accept: false }],
    ["abort --accept", { do: "abort", accept: true }],
  ])("%s", (line, request) => {
    expect(requestOf(line)).toEqual(request);
  });

  it.each([
    ["grow", "expected one of status, move"],
    ["status --plan", "status: --plan does not go with it"],
    ["move --buckets 9-3 --to s1", "--buckets: expected A-B within 0-1023"],
    ["move --buckets 0-1024 --to s1", "--buckets: expected A-B within 0-1023"],
    ["move --buckets 0-3", "--to: expected the name of a shard"],
    ["add --primary x", "--primary, --replica: expected a postgres:// URL"],
    ["add s1 --primary http://db", "--primary, --replica: expected a postgres:// URL"],
    ["add s1", "--primary, --replica: expected a postgres:// URL"],
    ["remove", "remove: expected the name of a shard"],
    ["remove s1 s2", 'remove: too much: "s2"'],
    ["rebalance --by size", "--by: expected buckets or rows"],
  ])("%s is refused", (line, message) => {
    expect(() => requestOf(line)).toThrow(UsageError);
    expect(() => requestOf(line)).toThrow(message);
  });
});

describe("a shard map", () => {
  const map = withShard([{ shard: "s0", buckets: [[0, 1023]] }], "s1", [URL]);

  it("gets shards, servers and ranges, and lets go of shards that have none", () => {
    const moved = withRangeAt(withRangeAt(map, [10, 20], "s1"), [15, 16], "s0");
    expect(moved.map(({ buckets }) => buckets)).toEqual([
      [
        [0, 9],
        [15, 16],
        [21, 1023],
      ],
      [
        [10, 14],
        [17, 20],
      ],
    ]);
    expect(withServers(map, "s0", ["a"])[0]?.servers).toEqual(["a"]);
    expect(withoutShard(map, "s1")).toEqual([{ shard: "s0", buckets: [[0, 1023]] }]);
  });

  it("refuses what makes no sense", () => {
    expect(() => withShard(map, "s1", [])).toThrow("has a shard s1 already");
    expect(() => withoutShard(map, "s0")).toThrow("shard s0 has buckets 0-1023: move them away first");
    expect(() => withServers(map, "s7", [])).toThrow("no shard s7; it has s0, s1");
  });
});

describe("what two looks at both sides say", () => {
  const look = (source: [number, string][], target: [number, string][]) => ({
    source: new Map(source),
    target: new Map(target),
  });

  it("a bucket differs whose sums differ, or that is on one side only", () => {
    expect(
      differing(
        look(
          [
            [1, "a"],
            [2, "b"],
            [3, "c"],
          ],
          [
            [1, "a"],
            [2, "x"],
            [4, "d"],
          ],
        ),
      ),
    ).toEqual([2, 3, 4]);
  });

  it("one that was written to in between is on its way; one that nobody wrote to is wrong", () => {
    const before = look(
      [
        [1, "a"],
        [2, "b"],
      ],
      [
        [1, "old"],
        [2, "wrong"],
      ],
    );
    const now = look(
      [
        [1, "newer"],
        [2, "b"],
      ],
      [
        [1, "new"],
        [2, "wrong"],
      ],
    );
    expect(stuck(before, now)).toEqual([2]);
  });
});

describe("a step in words", () => {
  it("says how far the copy is", () => {
    const { step, detail } = describeEvent({
      step: "copy",
      rows: 500,
      of: 1_000,
      bytes: 2_500_000,
      lagBytes: 900,
    });
    expect(step).toBe("copying");
    expect(detail).toBe(`${"█".repeat(12)}${"░".repeat(12)}, 500/1,000 rows, 2.5 MB, 900 B behind`);
  });

  it("is at its end where more came than was expected", () => {
    expect(describeEvent({ step: "copy", rows: 1_200, of: 1_000 }).detail).toContain("█".repeat(24));
    expect(size(0)).toBe("0 B");
  });
});
