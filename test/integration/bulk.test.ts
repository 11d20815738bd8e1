import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { NotEmpty } from "../../bench/bulk/bulk.repo.ts";
import { type FollowGraph, followGraph } from "../../bench/bulk/graph.ts";
import { type BulkOptions, bulkLoad } from "../../bench/bulk/load.ts";
import type { People } from "../../bench/bulk/people.ts";
import { powerLawGraph } from "../../bench/bulk/power-law.ts";
import { sample, seededRandom } from "../../bench/load/random.ts";
import { type Person, Roost } from "../support/roost.ts";

const PASSWORD = "everybody's own";
const REED98 = fileURLToPath(new URL("../../../shared/graphs/socfb-Reed98.edges", import.meta.url));
const silent = () => ({ update() {}, end() {} });

describe("what was loaded in bulk", () => {
  let roost: Roost;
  beforeEach(async () => {
    roost = await Roost.start({ shards: 3 });
  });
  afterEach(() => roost.stop());

  const load = (graph: FollowGraph, options: Partial<BulkOptions> = {}) =>
    bulkLoad(roost.shards.topology, {
      ...{ graph, tweets: 2_000, seed: 1, password: PASSWORD, prefix: "u", add: false, progress: silent },
      ...options,
    });
  const person = (people: People, i: number): Person => ({ id: people.id(i), username: people.username(i) });
  const someOf = (people: People, count: number) =>
    sample([...Array(people.count).keys()], count, seededRandom(5)).map((i) => person(people, i));
  const indexes = () =>
    roost.oracle.rows(
      "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1",
      [],
    );
  const agree = async (viewer: Person) =>
    expect(await roost.homeIds(viewer)).toEqual(await roost.oracle.homeOf(viewer.id));

  /** Sound as it lies there, and after people have gone on living with it. */
  async function isSound(people: People): Promise<void> {
    expect(await roost.audit()).toEqual([]);
    const some = someOf(people, 12);
    for (const viewer of some) await agree(viewer);
    for (const [i, who] of some.entries()) {
      const whom = some[(i + 1) % some.length] as Person;
      const { users } = await roost.call("graph.list", { ...FOLLOWED, user_id: who.id }, who);
      if (users[0]) await roost.call("graph.unfollow", { target_user_id: users[0].id }, who);
      await roost.call("graph.follow", { target_user_id: whom.id }, who);
      await roost.call("tweet.create", { text: "after the load" }, whom);
    }
    await roost.settle();
    for (const viewer of some) await agree(viewer);
    expect(await roost.audit()).toEqual([]);
  }
  const FOLLOWED = { kind: "follow", direction: "out", limit: 10 } as const;

  it("is what the services would have made of a generated graph", async () => {
    const graph = powerLawGraph({ people: 600, meanFollows: 12, seed: 3 });
    const before = await indexes();
    const people = await load(graph);
    expect(await indexes()).toEqual(before);
    const rows = await roost.oracle.rows<{ n: string }>("SELECT count(*) n FROM edges", []);
    expect(rows.reduce((sum, { n }) => sum + Number(n), 0)).toBe(graph.follower.length);
    const { username } = person(people, 17);
    const session = await roost.call("user.login", { username, password: PASSWORD });
    expect(session.user).toMatchObject({ id: people.id(17), username });
    await isSound(people);
  });

  (existsSync(REED98) ? it : it.skip)("is what they would have made of a real one", async () => {
    const graph = await followGraph(REED98, { directed: false });
    const people = await load(graph, { tweets: 5_000 });
    expect(people.count).toBe(962);
    await isSound(people);
  });

  it("leaves databases alone that are in use, unless it is to be added", async () => {
    const [before] = (await roost.people(1)) as [Person];
    const graph = powerLawGraph({ people: 40, meanFollows: 5, seed: 1 });
    await expect(load(graph)).rejects.toThrow(NotEmpty);
    const people = await load(graph, { add: true });
    await roost.call("graph.follow", { target_user_id: people.id(3) }, before);
    await agree(before);
    await isSound(people);
  });

  it("is there as a whole or not at all", async () => {
    await load(powerLawGraph({ people: 2, meanFollows: 1, seed: 1 }), { prefix: "u3" });
    const taken = powerLawGraph({ people: 40, meanFollows: 5, seed: 1 });
    await expect(load(taken, { add: true })).rejects.toThrow("users_handle");
    const users = await roost.oracle.rows<{ username: string }>("SELECT username FROM users", []);
    expect(users.map(({ username }) => username).sort()).toEqual(["u30", "u31"]);
    expect(await roost.audit()).toEqual([]);
  });
});
