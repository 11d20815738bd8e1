import type { BucketRange } from "../../config/topology.ts";
import type { Finding } from "../../services/operator/audit-findings.ts";
import { moveBuckets } from "../../services/operator/shards/move.ts";
import { ShardServers } from "../../services/operator/shards/servers.ts";
import { MovedShards } from "../support/moves.ts";
import { Roost } from "../support/roost.ts";
import { Society } from "../support/society.ts";

/** There and back, in parts, and all on one shard in between. */
const MOVES: [range: BucketRange, to: string][] = [
  [[0, 340], "s1"],
  [[682, 1023], "s1"],
  [[200, 800], "s0"],
];

describe("buckets that move while people live", () => {
  let roost: Roost;
  let society: Society;
  let moved: MovedShards;
  beforeAll(async () => {
    roost = await Roost.start({ shards: 3, env: { NATS_URL: process.env.ROOST_TEST_NATS_URL } });
    await roost.addNode();
    moved = await MovedShards.of(roost.shards);
    society = await Society.of(roost, 6);
  });
  afterAll(async () => {
    await moved.close();
    await roost.stop();
  });

  it("loses nothing, shows nothing twice, fails nobody, and leaves nothing behind", async () => {
    const pauses: number[] = [];
    const moving = (async () => {
      for (const [range, to] of MOVES) {
        const servers = await ShardServers.find(roost.shards.topology);
        try {
          await servers.exclude();
          pauses.push(...(await moveBuckets(servers, { range, to, onMove: () => {} })));
        } finally {
          await servers.close();
        }
      }
    })();
    let over = false;
    moving
      .finally(() => {
        over = true;
      })
      .catch(() => {});
    const audits = (async () => {
      const found: Finding[] = [];
      while (!over) found.push(...(await roost.audit()));
      return found;
    })();
    await society.live(1, () => over);
    await moving;
    expect(await audits).toEqual([]);
    expect(pauses.length).toBeGreaterThanOrEqual(MOVES.length);
    await society.agree();
    await moved.expectNothingLeft();
    expect(await roost.audit()).toEqual([]);
  });
});
