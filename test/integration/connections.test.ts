import { connectionsOf } from "../support/connections.ts";
import { Roost } from "../support/roost.ts";
import { Society } from "../support/society.ts";

const POOL = 4;

describe("connections to a shard", () => {
  let roost: Roost;
  beforeAll(async () => {
    roost = await Roost.start({ shards: 2, redisUrl: "none", env: { PG_POOL_SIZE: String(POOL) } });
  });
  afterAll(() => roost.stop());

  it("are two pools and one to look at the server, however many requests come at once", async () => {
    const society = await Society.of(roost, 24);
    let most = 0;
    let over = false;
    const counting = (async () => {
      while (!over) most = Math.max(most, ...(await connectionsOf(roost.broker.nodeID)).values());
    })();
    await society.live(2);
    over = true;
    await counting;
    expect(most).toBeLessThanOrEqual(2 * POOL + 1);
    // All of them were needed.
    expect(most).toBeGreaterThan(POOL + 1);
  });
});
