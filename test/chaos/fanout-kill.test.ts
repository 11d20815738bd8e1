import { sql } from "../../mixins/shard-db/index.ts";
import { scatter } from "../../mixins/shard-db/scatter.ts";
import { addEdge, mirrorEdge } from "../../services/graph/edges.repo.ts";
import { Cluster } from "../support/cluster.ts";
import { eventually, type Person, Roost } from "../support/roost.ts";

const FOLLOWERS = 900;

describe("a timeline process killed in the middle of a fan-out", () => {
  let roost: Roost;
  let cluster: Cluster;
  beforeAll(async () => {
    roost = await Roost.start({
      shards: 2,
      services: ["user", "graph", "tweet"],
      env: { NATS_URL: process.env.ROOST_TEST_NATS_URL, FANOUT_PAGE: "20" },
    });
    cluster = await Cluster.start(roost.env, []);
  });
  afterAll(async () => {
    await cluster.stop();
    await roost.stop();
  });

  it("costs none of 900 followers a tweet", async () => {
    const { db } = roost.resources;
    const victim = await cluster.spawn("timeline");
    const [author, ...followers] = (await roost.people(FOLLOWERS + 1)) as [Person, ...Person[]];
    await scatter(followers, 8, async ({ id }) => {
      const edge = { src: id, kind: "follow", dst: author.id } as const;
      await addEdge(db, edge);
      await mirrorEdge(db, edge);
    });
    await db.readAll(sql`DELETE FROM outbox`);
    await roost.broker.waitForServices("timeline");
    // Everyone has a home list, so that every push counts.
    await scatter(followers, 16, (follower) => roost.homeIds(follower));

    const cursors = () =>
      db.readAll(sql<{ id: string }>`SELECT id FROM outbox WHERE kind = 'tweet' AND cursor IS NOT NULL`);
    const tweets = await scatter(Array.from({ length: 5 }), 5, (_) =>
      roost.call("tweet.create", { text: "to all" }, author),
    );
    await eventually(async () => (await cursors()).length > 0, "a fan-out under way");
    await victim.kill();
    const halfDone = await cursors();
    expect(halfDone.length).toBeGreaterThan(0);

    await cluster.spawn("timeline");
    await roost.settle();
    await roost.forgets(victim.nodeId);
    const ids = tweets
      .map(({ id }) => id)
      .sort()
      .reverse();
    await scatter(followers, 16, async (follower) => {
      const shown = await roost.homeIds(follower);
      expect(shown).toEqual(ids);
      expect(shown).toEqual(await roost.oracle.homeOf(follower.id));
    });
  });
});
