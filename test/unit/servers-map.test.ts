import { withServers } from "../../mixins/shard-db/servers-map.ts";

const map = {
  epoch: 7,
  shards: [
    { shard: "s0", buckets: [[0, 511] as const], servers: ["postgres://a", "postgres://b"] },
    { shard: "s1", buckets: [[512, 1023] as const] },
  ],
};

describe("the servers that a shard map names", () => {
  test("are replaced, and nothing else changes", () => {
    const wanted = new Map([["s0", ["postgres://c"]]]);
    expect(withServers(map, wanted, false)).toEqual({
      shards: [{ ...map.shards[0], servers: ["postgres://c"] }, map.shards[1]],
      changed: ["s0"],
    });
  });

  test("are the same in another order: nothing changes", () => {
    expect(withServers(map, new Map([["s0", ["postgres://b", "postgres://a"]]]), false).changed).toEqual([]);
  });

  test("begin to be named where the topology file said them, unless only named ones are wanted", () => {
    const wanted = new Map([["s1", ["postgres://d"]]]);
    expect(withServers(map, wanted, false).changed).toEqual(["s1"]);
    expect(withServers(map, wanted, true).changed).toEqual([]);
  });

  test("of a shard that the map does not have stay unnamed", () => {
    expect(withServers(map, new Map([["s9", ["postgres://e"]]]), false)).toEqual({
      shards: map.shards,
      changed: [],
    });
  });
});
