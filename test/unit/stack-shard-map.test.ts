import { outdated } from "../../stack/shard-map.ts";

const map = [
  { shard: "s0", buckets: [[0, 511] as const], servers: ["postgres://a", "postgres://b"] },
  { shard: "s1", buckets: [[512, 1023] as const] },
];

describe("the shards of which the map has to name other servers", () => {
  test("those of which it names others, whatever the order", () => {
    expect(outdated(map, new Map([["s0", ["postgres://c", "postgres://a"]]]))).toEqual(["s0"]);
    expect(outdated(map, new Map([["s0", ["postgres://b", "postgres://a"]]]))).toEqual([]);
  });

  test("one whose servers have changed, although the topology file said them so far; no others", () => {
    const servers = new Map([
      ["s0", ["postgres://c"]],
      ["s1", ["postgres://d"]],
    ]);
    expect(outdated(map, servers)).toEqual(["s0"]);
    expect(outdated(map, servers, "s1")).toEqual(["s1"]);
  });

  test("none that the map does not have", () => {
    expect(outdated(map, new Map([["s9", ["postgres://e"]]]), "s9")).toEqual([]);
  });
});
