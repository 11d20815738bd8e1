import type { RunningNode } from "../../services/node.ts";
import { missingNotice } from "../../stack/programs/notices.ts";
import { connectionsOf } from "../support/connections.ts";
import { BOUNCER_POOL, type PgBouncer, startPgBouncer } from "../support/pgbouncer.ts";
import { Roost } from "../support/roost.ts";
import { Society } from "../support/society.ts";

describe("a node behind PgBouncer in transaction mode", () => {
  let bouncer: PgBouncer | undefined;
  let roost: Roost;
  let node: RunningNode | undefined;
  beforeAll(async () => {
    bouncer = await startPgBouncer();
    if (!bouncer) return;
    roost = await Roost.start({ shards: 2 });
    node = await roost.addNode({
      TOPOLOGY_FILE: bouncer.topologyFile(roost.shards.topology),
      PG_PREPARE: "0",
    });
    // It does all the work.
    await roost.nodes.shift()?.stop();
  });
  afterAll(async () => {
    if (!bouncer) return;
    await roost.stop();
    await bouncer.stop();
  });

  /** Skips where there is no bouncer. */
  const withBouncer = (name: string, test: () => Promise<void>) =>
    it(name, async () => {
      if (bouncer) await test();
      else console.warn(missingNotice("pgbouncer"));
    });

  withBouncer(
    "signs people up, who live and find their timelines right, over a few connections",
    async () => {
      const session = await roost.call("user.signup", {
        username: "behind",
        name: "Behind",
        password: "a bouncer that knows nobody",
      });
      expect(session.user.username).toBe("behind");
      const society = await Society.of(roost, 12);
      await society.live(3);
      await society.agree();
      expect(await roost.audit()).toEqual([]);
      const open = await connectionsOf(node?.broker.nodeID ?? "");
      expect(Math.max(...open.values())).toBeLessThanOrEqual(BOUNCER_POOL);
      expect(open.size).toBe(2);
    },
  );
});
