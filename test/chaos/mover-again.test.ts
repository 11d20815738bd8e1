import type { BucketRange } from "../../config/topology.ts";
import { migrate } from "../../mixins/shard-db/migrate.ts";
import { BucketWriters } from "../support/bucket-writers.ts";
import { MovedShards } from "../support/moves.ts";
import { eventually } from "../support/roost.ts";
import { createShards, type TestShards } from "../support/servers.ts";

const RANGE: BucketRange = [0, 40];

describe("a mover that is run again after it was killed while people wrote", () => {
  let shards: TestShards;
  let moved: MovedShards;
  let writers: BucketWriters;
  beforeAll(async () => {
    shards = await createShards(2);
    await migrate(shards.topology);
    moved = await MovedShards.of(shards);
    writers = BucketWriters.start(shards.topology, 2);
  });
  afterAll(async () => {
    await writers.stop();
    expect((await moved.tweets()).sort()).toEqual([...writers.written.kept].sort());
    await moved.close();
    await shards.drop();
  });

  const otherThan = (shard: string) => (shard === "s0" ? "s1" : "s0");

  it.each([
    "prepare",
    "announce",
    "publish",
    "copy",
    "compare",
    "fence",
    "marker",
    "decide",
    "decided",
    "compare-exactly",
    "unsubscribe",
    "unpublish",
    "clean",
  ])("finishes what was begun: killed when %s began", async (step) => {
    const from = await moved.ownerOf(0);
    expect(await moved.killedMover(RANGE, otherThan(from), step)).toBeUndefined();
    await moved.move(RANGE, otherThan(from));
    await moved.expectNothingLeft();
    expect(await moved.ownerOf(0)).toBe(otherThan(from));
  });

  it("finishes what was begun: killed at any moment", async () => {
    for (let kills = 0; kills < 4; kills++) {
      const from = await moved.ownerOf(0);
      const after = 200 + Math.random() * 1_500;
      await moved.killedMover(RANGE, otherThan(from), after);
      await moved.move(RANGE, otherThan(from));
      await moved.expectNothingLeft();
      expect([after, await moved.ownerOf(0)]).toEqual([after, otherThan(from)]);
    }
  });

  it("holds up nobody while it hangs in the fence, and tries again once it goes on", async () => {
    const from = await moved.ownerOf(0);
    const pauses = await moved.stoppedMover(RANGE, otherThan(from), "marker", async () => {
      const before = writers.written.kept.size;
      await eventually(() => writers.written.kept.size > before + 50, "writers who go on");
    });
    expect(pauses.length).toBeGreaterThan(1);
    expect(await moved.ownerOf(0)).toBe(otherThan(from));
    await moved.expectNothingLeft();
  });
});
