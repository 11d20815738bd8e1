import { HeldTable } from "../support/held-table.ts";
import { eventually, type Person, Roost } from "../support/roost.ts";

describe("a home list that is being built", () => {
  let roost: Roost;
  let tweets: HeldTable;
  beforeAll(async () => {
    roost = await Roost.start({ shards: 2 });
    await roost.addNode();
    tweets = await HeldTable.of(roost.shards, "tweets");
  });
  afterAll(async () => {
    await tweets.close();
    await roost.stop();
  });

  const follow = (who: Person, whom: Person) => roost.call("graph.follow", { target_user_id: whom.id }, who);
  const tweet = async (who: Person) => (await roost.call("tweet.create", { text: "hello" }, who)).id;
  const elsewhere = () => roost.nodes[1]?.broker;

  it.each([
    ["a follow", (me: Person, other: Person) => follow(me, other)],
    ["an eviction", (me: Person) => roost.store.delete([roost.store.keys.home(me.id)])],
  ])("is not published once %s has overtaken it; those who wait get the truth", async (_, overtake) => {
    const [me, author, other] = (await roost.people(3)) as [Person, Person, Person];
    await follow(me, author);
    for (const who of [author, other, author]) await tweet(who);
    await roost.settle();
    const refused = await roost.counted("homeBuilds", "refused");
    await tweets.hold();
    const early = Promise.all([roost.home(me, 2), roost.home(me, 2, elsewhere())]);
    await eventually(async () => (await tweets.waiting()) > 0, "a build that Postgres holds up");
    await overtake(me, other);
    const late = roost.homeIds(me);
    await tweets.release();
    await early;
    const truth = await roost.oracle.homeOf(me.id);
    expect(await late).toEqual(truth);
    expect(await roost.homeIds(me, 2)).toEqual(truth);
    expect(await roost.counted("homeBuilds", "refused")).toBe(refused + 1);
  });
});
