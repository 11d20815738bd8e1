import { Dataset } from "../../bench/dataset.ts";
import { sql } from "../../mixins/shard-db/index.ts";
import { type FollowerCursor, firstFollowers, followersAfter } from "../../services/timeline/fanout.repo.ts";
import { type Person, Roost } from "../support/roost.ts";

const GIANT = 60_000;
const SMALL = 100;
const PAGE = 100;

describe("a page of followers", () => {
  let roost: Roost;
  let dataset: Dataset;
  let giant: Person;
  let small: Person;
  beforeAll(async () => {
    roost = await Roost.start({ shards: 1, services: [], redisUrl: "none" });
    dataset = new Dataset(roost.shards.topologyFile);
    [giant, small] = (await roost.people(2)) as [Person, Person];
    await dataset.ghostFollowers(giant, GIANT);
    await dataset.ghostFollowers(small, SMALL);
  });
  afterAll(async () => {
    await dataset.close();
    await roost.stop();
  });

  it("leads to all of them, each once, in the order of their buckets", async () => {
    const { db } = roost.resources;
    const [first, ofSmall] = await firstFollowers(db, [giant.id, small.id], 20_000);
    expect(ofSmall).toHaveLength(SMALL);
    const all: FollowerCursor[] = [...(first ?? [])];
    for (;;) {
      const page = await followersAfter(db, giant.id, all.at(-1), 20_000);
      if (page.length === 0) break;
      all.push(...page);
    }
    expect(new Set(all.map(({ src }) => src)).size).toBe(GIANT);
    const order = (a: FollowerCursor, b: FollowerCursor) => a.bucket - b.bucket || (a.src < b.src ? -1 : 1);
    expect(all).toEqual(all.toSorted(order));
  });

  it("takes no look at the other followers, whatever the planner expects", async () => {
    // No statistics say that there is a giant: they never do where most authors have few followers.
    const [row] = await roost.resources.db.readAll(sql<{ "QUERY PLAN": [{ Plan: Record<string, number> }] }>`
      EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT * FROM followers_after(${giant.id}, -1, 0, ${PAGE})`);
    const plan = row?.["QUERY PLAN"][0].Plan ?? {};
    const blocks = (plan["Shared Hit Blocks"] ?? 0) + (plan["Shared Read Blocks"] ?? 0);
    // Each row may lie in a block of its own.
    expect(blocks).toBeLessThan(2 * PAGE);
  });
});
