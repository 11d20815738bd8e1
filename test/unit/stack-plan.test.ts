import { newShard, planOf } from "../../stack/plan.ts";
import { assignRoles, type Found } from "../../stack/postgres/roles.ts";

const dataDir = "/d";

describe("what a stack consists of", () => {
  test("a new one: what its topology says, single where none is named", () => {
    expect(planOf({ dataDir }, undefined)).toEqual({
      shards: [{ name: "s0", buckets: [[0, 1023]], members: ["s0-0"], primary: "s0-0" }],
      redis: "single",
      sync: false,
    });
    const { shards, redis } = planOf({ dataDir, topology: "sharded" }, undefined);
    expect(shards.map(({ buckets, members }) => [buckets, members.length])).toEqual([
      [[[0, 340]], 2],
      [[[341, 681]], 2],
      [[[682, 1023]], 2],
    ]);
    expect(redis).toBe("cluster");
  });

  const grown = {
    shards: [
      { name: "s0", buckets: [[0, 1023] as const], members: ["s0-0", "s0-1", "s0-2"], primary: "s0-2" },
      newShard("s1", [], 1),
    ],
    redis: "single" as const,
    sync: false,
  };

  test("one that has grown comes back as it was", () => {
    expect(planOf({ dataDir }, grown)).toEqual(grown);
  });

  test("a number of replicas changes every shard, and keeps its primary", () => {
    const { shards } = planOf({ dataDir, replicas: 1 }, grown);
    expect(shards.map(({ members }) => members)).toEqual([
      ["s0-0", "s0-2"],
      ["s1-0", "s1-1"],
    ]);
    const more = planOf({ dataDir, replicas: 3 }, grown).shards;
    expect(more.map(({ members }) => members)).toEqual([
      ["s0-0", "s0-1", "s0-2", "s0-3"],
      ["s1-0", "s1-1", "s1-2", "s1-3"],
    ]);
  });

  test("a named topology adds what it has more, and takes no replica away", () => {
    const one = { ...grown, shards: grown.shards.slice(0, 1) };
    expect(planOf({ dataDir, topology: "single" }, one).shards[0]?.members).toHaveLength(3);
    const replicas = planOf({ dataDir, topology: "replicas" }, one);
    expect(replicas.shards[0]?.members).toHaveLength(4);
    expect(replicas.redis).toBe("sentinel");
  });

  test("a topology with another number of shards is refused", () => {
    expect(() => planOf({ dataDir, topology: "sharded" }, grown)).toThrow(
      "data directory /d holds 2 shard(s), not 3",
    );
  });

  test("a synchronous shard needs two replicas, and stays synchronous until told otherwise", () => {
    expect(() => planOf({ dataDir, sync: true }, undefined)).toThrow(
      "--sync: needs two replicas or more, s0 would have 0",
    );
    const sync = planOf({ dataDir, sync: true, replicas: 2 }, undefined);
    expect(planOf({ dataDir }, sync).sync).toBe(true);
    expect(planOf({ dataDir, sync: false }, sync).sync).toBe(false);
  });
});

describe("who is the primary of a shard whose servers are stopped", () => {
  const member = (id: string, more: Partial<Found> = {}): Found => ({
    id,
    exists: true,
    standby: false,
    timeline: 1,
    ...more,
  });

  test("the one that is no standby; what is missing is copied from it", () => {
    const members = [
      member("a"),
      member("b", { standby: true }),
      member("c", { exists: false, timeline: 0 }),
    ];
    expect(assignRoles(members, "a")).toEqual({ primary: "a", stale: ["c"] });
  });

  test("of two that were promoted the one of the later timeline; all others are copied anew", () => {
    const members = [member("a"), member("b", { timeline: 2 }), member("c", { standby: true })];
    expect(assignRoles(members, "a")).toEqual({ primary: "b", stale: ["a", "c"] });
  });

  test("after a failover that was cut off once it had promoted: the promoted one; the fenced one is copied anew", () => {
    const members = [member("a", { standby: true }), member("b", { timeline: 2 })];
    expect(assignRoles(members, "a")).toEqual({ primary: "b", stale: ["a"] });
  });

  test("after one that was cut off before that: the fenced one; who had begun a later timeline is copied anew", () => {
    const members = [member("a", { standby: true }), member("b", { standby: true, timeline: 2 })];
    expect(assignRoles(members, "a")).toEqual({ primary: "a", stale: ["b"] });
  });
});
