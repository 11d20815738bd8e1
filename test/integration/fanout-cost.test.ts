import type { FollowGraph } from "../../bench/bulk/graph.ts";
import { bulkLoad } from "../../bench/bulk/load.ts";
import { scatter } from "../../mixins/shard-db/scatter.ts";
import { authorNow, pinMode } from "../../services/timeline/fanout.repo.ts";
import { Fanout } from "../../services/timeline/fanout.ts";
import { RateMeter } from "../../services/timeline/fanout-rates.ts";
import { eventually, type Person, Roost } from "../support/roost.ts";

const FANS = 400;
const AUTHORS = 4;

/** Fans who follow the same few authors. */
const stars: FollowGraph = {
  people: AUTHORS + FANS,
  follower: Uint32Array.from({ length: FANS * AUTHORS }, (_, i) => AUTHORS + Math.floor(i / AUTHORS)),
  followee: Uint32Array.from({ length: FANS * AUTHORS }, (_, i) => i % AUTHORS),
};

describe("the fan-out policy by cost", () => {
  let roost: Roost;
  let authors: Person[];
  let fans: Person[];
  beforeAll(async () => {
    roost = await Roost.start({ shards: 2, env: { FANOUT_POLICY: "cost" } });
    const people = await bulkLoad(roost.shards.topology, {
      ...{ graph: stars, tweets: 0, seed: 1, password: "bulk-loaded", prefix: "u", add: false },
      progress: () => ({ update() {}, end() {} }),
    });
    const everybody = Array.from({ length: people.count }, (_, i) => ({
      id: people.id(i),
      username: people.username(i),
    }));
    authors = everybody.slice(0, AUTHORS);
    fans = everybody.slice(AUTHORS);
  });
  afterAll(() => roost.stop());

  const meter = () => new RateMeter(roost.resources.db, roost.store);
  const read = (viewer: Person) => roost.call("timeline.home", { user_id: viewer.id, limit: 20 }, viewer);
  const tweet = (who: Person) => roost.call("tweet.create", { text: "hello" }, who);
  const modeOf = async ({ id }: Person) => (await authorNow(roost.resources.db, id)).mode;
  const fanout = () => {
    const { db, metrics } = roost.resources;
    const redis = roost.store;
    const options = { policy: "cost", homeListMaxAgeMs: 86_400_000, page: 100 } as const;
    return new Fanout({ ...options, db, metrics, redis, pushes: redis });
  };

  it("knows how often an author tweets, and how often the followers read", async () => {
    const [author] = authors as [Person];
    // So that nobody else measures meanwhile.
    await pinMode(roost.resources.db, author.id, "push");
    const earliest = Date.now();
    expect(await meter().measure(author.id, FANS)).toBeUndefined();
    const begun = Date.now();
    const some = fans.slice(0, 100);
    await scatter(some, 8, read);
    for (let i = 0; i < 6; i++) await tweet(author);
    const reads = Array.from({ length: 24 }, () => some).flat();
    await scatter(reads, 8, read);
    const seconds = (Date.now() - begun) / 1_000;
    const rates = await meter().measure(author.id, FANS);
    const atMost = (Date.now() - earliest) / 1_000;
    expect(rates?.tweets).toBeCloseTo(6);
    // As the clock of Postgres has it, to the millisecond.
    expect(rates?.seconds).toBeGreaterThan(seconds - 0.01);
    expect(rates?.seconds).toBeLessThan(atMost + 0.01);
    // One read in 8 is counted: five times the standard deviation, of a sample of 256 of 400 besides.
    const expected = (25 * 100) / seconds;
    expect(Math.abs((rates?.readRate ?? 0) - expected)).toBeLessThan(0.6 * expected);
    expect(rates?.readRateAlone).toBeCloseTo(rates?.readRate ?? -1);
    expect(rates?.activeShare).toBeGreaterThan(0.1);
    expect(rates?.activeShare).toBeLessThan(0.4);
    const stored = await authorNow(roost.resources.db, author.id);
    expect(stored).toMatchObject({ rates, followers: FANS, pinned: "push" });
  });

  it("knows which readers would pull nobody else", async () => {
    const [author, other] = authors as [Person, Person];
    await pinMode(roost.resources.db, other.id, "pull");
    await roost.settle();
    const { readRate = 0, readRateAlone } = (await meter().measure(author.id, FANS)) ?? {};
    expect(readRateAlone).toBeLessThan(readRate);
    await pinMode(roost.resources.db, other.id, null);
  });

  it("pulls an author who tweets more than is read, and pushes one again who is read more", async () => {
    const [, , author] = authors as [Person, Person, Person];
    const some = fans.slice(0, 40);
    await meter().measure(author.id, FANS);
    await eventually(async () => {
      await tweet(author);
      return (await modeOf(author)) === "pull";
    }, "the author pulled");
    await roost.settle();
    for (const fan of some.slice(0, 5)) {
      expect(await roost.homeIds(fan)).toEqual(await roost.oracle.homeOf(fan.id));
    }
    await eventually(async () => {
      await scatter(some, 8, read);
      await fanout().review(0);
      return (await modeOf(author)) === "leaving";
    }, "the author pushed again");
    for (const fan of some.slice(0, 5)) {
      expect(await roost.homeIds(fan)).toEqual(await roost.oracle.homeOf(fan.id));
    }
    const metrics = await roost.resources.metrics.registry.metrics();
    expect(metrics).toMatch(/roost_fanout_measurements_total [1-9]/);
  });
});
