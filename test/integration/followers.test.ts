import { Dataset } from "../../bench/dataset.ts";
import { sql } from "../../mixins/shard-db/index.ts";
import { type FollowerCursor, firstFollowers, followersAfter } from "../../services/timeline/fanout.repo.ts";
import { type Person, Roost } from "../support/roost.ts";

const GIANT = 40_000;
const OTHERS = 20_000;
const PAGE = 100;

describe("a page of followers", () => {
  let roost: Roost;
  let dataset: Dataset;
  let giant: Person;
  let other: Person;
  beforeAll(async () => {
    roost = await Roost.start({ shards: 1, services: [], redisUrl: "none" });
    dataset = new Dataset(roost.shards.topologyFile);
    [giant, other] = (await roost.people(2)) as [Person, Person];
    await dataset.ghostFollowers(giant, GIANT);
    await dataset.ghostFollowers(other, 3);
  });
  afterAll(async () => {
    await dataset.close();
    await roost.stop();
  });

  it("leads to all of them, each once, in the order of their buckets", async () => {
    const { db } = roost.resources;
    const [first, ofOther] = await firstFollowers(db, [giant.id, other.id], 20_000);
    expect(ofOther).toHaveLength(3);
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
    const { db } = roost.resources;
    // Most authors have few followers, which is what the planner then expects of each.
    await db.write(
      { id: giant.id },
      sql`INSERT INTO inverse_edges (dst, kind, src_bucket, src, id)
          SELECT author, 'follow', bucket_of(author), author, author FROM generate_series(1, ${OTHERS}::int) author`,
    );
    await db.readAll(sql`ANALYZE inverse_edges`);
    const [row] = await db.readAll(sql<{ "QUERY PLAN": [{ Plan: Record<string, number> }] }>`
      EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT *
      FROM unnest(${[giant.id]}::bigint[]) author CROSS JOIN LATERAL followers_after(author, -1, 0, ${PAGE})`);
    const plan = row?.["QUERY PLAN"][0].Plan ?? {};
    const blocks = (plan["Shared Hit Blocks"] ?? 0) + (plan["Shared Read Blocks"] ?? 0);
    // Each row may lie in a block of its own.
    expect(blocks).toBeLessThan(2 * PAGE);
  });
});
