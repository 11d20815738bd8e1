import type { BucketRange } from "../../config/topology.ts";
import { migrate } from "../../mixins/shard-db/migrate.ts";
import { BucketWriters } from "../support/bucket-writers.ts";
import { MovedShards } from "../support/moves.ts";
import { createShards, type TestShards } from "../support/servers.ts";

const RANGE: BucketRange = [0, 40];

describe("a mover that is killed while people write", () => {
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

  describe.each([
    ["prepare", "taken back"],
    ["announce", "taken back"],
    ["publish", "taken back"],
    ["copy", "taken back"],
    ["compare", "taken back"],
    ["fence", "taken back"],
    ["marker", "taken back"],
    ["decide", "taken back"],
    ["decided", "moved"],
    ["compare-exactly", "moved"],
    ["unsubscribe", "moved"],
    ["unpublish", "moved"],
    ["clean", "moved"],
  ])("when %s begins", (step, outcome) => {
    it("leaves what abort puts in order", async () => {
      const from = await moved.ownerOf(0);
      expect(await moved.killedMover(RANGE, otherThan(from), step)).toBeUndefined();
      expect(await moved.abort()).toEqual([outcome]);
      await moved.expectNothingLeft();
      expect(await moved.ownerOf(0)).toBe(outcome === "moved" ? otherThan(from) : from);
    });
  });
});
