import { buildWindow, readWindows, WHOLE } from "../../mixins/redis/windowed-list.ts";
import { Fanout } from "../../services/timeline/fanout.ts";
import { type Person, Roost } from "../support/roost.ts";

const TWEETS = 40;

describe("a burst of tweets", () => {
  let roost: Roost;
  beforeAll(async () => {
    roost = await Roost.start({ shards: 2, services: ["user", "graph", "tweet"] });
  });
  afterAll(() => roost.stop());

  it("is read together, not tweet by tweet, and delivered whole", async () => {
    const { db, metrics } = roost.resources;
    const [reader, ...authors] = (await roost.people(TWEETS + 1)) as [Person, ...Person[]];
    for (const { id } of authors) await roost.call("graph.follow", { target_user_id: id }, reader);
    const home = roost.store.keys.home(reader.id);
    await buildWindow(roost.store, home, async () => ({ ids: [], floor: "0" }));
    const ids = await Promise.all(
      authors.map(async (author) => (await roost.call("tweet.create", { text: "at once" }, author)).id),
    );

    const reads = jest.spyOn(db, "readByIds");
    const fanout = new Fanout({
      db,
      metrics,
      redis: roost.store,
      pushes: roost.store,
      policy: "push",
      homeListMaxAgeMs: 3_600_000,
      page: 1_000,
    });
    const outcomes = await Promise.all(
      ids.map((id) => fanout.tweet({ id, kind: "tweet", key: { id }, cursor: null, attempts: 1, lost: 0 })),
    );
    expect(outcomes).toEqual(ids.map(() => "done"));
    expect(reads.mock.calls.length).toBeGreaterThan(0);
    expect(reads.mock.calls.length).toBeLessThan(TWEETS / 2);
    const lists = await readWindows(roost.store, [home], { count: WHOLE });
    expect(lists.get(home)?.ids).toEqual(ids.toSorted().reverse());
  });
});
