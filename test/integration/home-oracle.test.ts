import fc from "fast-check";
import { type Person, Roost } from "../support/roost.ts";

/** Whatever people do, in any order: each home timeline is what the tables say. */
type Step =
  | { do: "follow" | "unfollow" | "block" | "unblock" | "mute" | "unmute"; who: number; whom: number }
  | { do: "tweet" | "delete" | "evict"; who: number }
  | { do: "flush" };

/** More for a long run. */
const RUNS = Number(process.env.ROOST_PROPERTY_RUNS ?? 15);
const PEOPLE = 5;
const who = fc.nat(PEOPLE - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("follow" as const), who, whom: who }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant("tweet" as const), who }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constantFrom(
        "unfollow" as const,
        "block" as const,
        "unblock" as const,
        "mute" as const,
        "unmute" as const,
      ),
      who,
      whom: who,
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("delete" as const, "evict" as const), who }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("flush" as const) }) },
);

describe.each([
  ["pushed", "1000"],
  ["pulled", "0"],
])("home timelines of authors that are %s", (_, threshold) => {
  let roost: Roost;
  beforeAll(async () => {
    roost = await Roost.start({ shards: 2, env: { PULL_THRESHOLD: threshold } });
  });
  afterAll(() => roost.stop());

  async function play(people: Person[], steps: Step[]): Promise<void> {
    const { redis } = roost.resources;
    for (const step of steps) {
      if (step.do === "flush") {
        await redis?.delete(
          people.flatMap(({ id }) => [redis.keys.home(id), redis.keys.author(id), redis.keys.following(id)]),
        );
        continue;
      }
      const me = people[step.who] as Person;
      if (step.do === "tweet") await roost.call("tweet.create", { text: "hello" }, me);
      else if (step.do === "evict") await redis?.delete([redis.keys.home(me.id)]);
      else if (step.do === "delete") {
        const { tweets } = await roost.call("timeline.user", { user_id: me.id, limit: 1 }, me);
        if (tweets[0]) await roost.call("tweet.delete", { id: tweets[0].id }, me);
      } else if ("whom" in step && step.who !== step.whom) {
        const whom = people[step.whom] as Person;
        const fresh = step.do === "follow" && !(await follows(me, whom));
        const done = await roost.call(`graph.${step.do}`, { target_user_id: whom.id }, me).catch((error) => {
          if (error.type !== "FORBIDDEN") throw error;
        });
        // What was hidden is gone at once, and a new followee's tweets are there at once, whatever fan-out is under way.
        const shown = await roost.homeIds(me, 3);
        const truth = await roost.oracle.homeOf(me.id);
        expect(shown.filter((id) => !truth.includes(id))).toEqual([]);
        if (fresh && done) expect(shown).toEqual(truth);
      }
    }
  }

  async function follows(who: Person, whom: Person): Promise<boolean> {
    const list = { user_id: who.id, kind: "follow", direction: "out", limit: 100 } as const;
    return (await roost.call("graph.list", list, who)).users.some(({ id }) => id === whom.id);
  }

  it(
    "equal the brute-force answer after any sequence of events",
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
          const people = await roost.people(PEOPLE);
          await Promise.all(people.map((person) => roost.home(person)));
          await play(people, steps);
          await roost.settle();
          for (const person of people) {
            expect(await roost.homeIds(person, 3)).toEqual(await roost.oracle.homeOf(person.id));
          }
        }),
        { numRuns: RUNS },
      );
    },
    60_000 + RUNS * 1_000,
  );
});
