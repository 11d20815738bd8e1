import { parseTopology } from "../../config/topology.ts";
import { Router } from "../../mixins/shard-db/router.ts";

const shard = (name: string, buckets: [number, number][]) => ({
  name,
  primary: "postgres://h/db",
  replicas: [],
  buckets,
});

describe("a topology", () => {
  it("is accepted where every bucket has one shard", () => {
    const topology = { shards: [shard("a", [[0, 511]]), shard("b", [[512, 1023]])] };
    expect(parseTopology(topology)).toEqual(topology);
  });

  it.each([
    ["no shards", { shards: [] }, "shards: expected a non-empty list"],
    ["a gap", { shards: [shard("a", [[0, 1022]])] }, "bucket 1023 is on 0 shards"],
    ["an overlap", { shards: [shard("a", [[0, 1023]]), shard("b", [[5, 6]])] }, "bucket 5 is on 2 shards"],
    ["a name twice", { shards: [shard("a", [[0, 511]]), shard("a", [[512, 1023]])] }, "a name is used twice"],
    ["a bucket out of range", { shards: [shard("a", [[0, 1024]])] }, "shards[0].buckets"],
    [
      "no Postgres URL",
      { shards: [{ ...shard("a", [[0, 1023]]), primary: "mysql://h" }] },
      "shards[0].primary",
    ],
    ["nothing", null, "shards"],
  ])("with %s is refused, naming the place", (_, topology, message) => {
    expect(() => parseTopology(topology)).toThrow(message);
  });
});

describe("the router", () => {
  const router = new Router({
    epoch: 3,
    shards: [
      {
        shard: "a",
        buckets: [
          [0, 99],
          [200, 1023],
        ],
      },
      { shard: "b", buckets: [[100, 199]] },
    ],
  });
  const idIn = (bucket: number) => String((1n << 22n) | (BigInt(bucket) << 12n));

  it("finds the shard of ids, buckets and handles", () => {
    expect(router.shardOf({ bucket: 99 })).toBe("a");
    expect(router.shardOf({ bucket: 100 })).toBe("b");
    expect(router.shardOf({ id: idIn(199) })).toBe("b");
    expect(["a", "b"]).toContain(router.shardOf({ handle: "someone" }));
  });

  it("groups ids by shard in their order", () => {
    const ids = [5, 150, 7, 160].map(idIn);
    expect([...router.group(ids)]).toEqual([
      ["a", [ids[0], ids[2]]],
      ["b", [ids[1], ids[3]]],
    ]);
  });

  it("refuses a map with a bucket on no shard or on two", () => {
    expect(() => new Router({ epoch: 1, shards: [{ shard: "a", buckets: [[0, 5]] }] })).toThrow(
      "on no shard",
    );
    expect(
      () =>
        new Router({
          epoch: 1,
          shards: [
            {
              shard: "a",
              buckets: [
                [0, 1023],
                [4, 4],
              ],
            },
          ],
        }),
    ).toThrow("two shards");
  });
});
