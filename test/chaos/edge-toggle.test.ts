import { setTimeout as sleep } from "node:timers/promises";
import type { ServiceBroker } from "moleculer";
import { sql } from "../../mixins/shard-db/index.ts";
import type { ActionName, ParamsOf } from "../../services/contracts/actions.ts";
import { errorCode } from "../../services/contracts/errors.ts";
import { type FarShards, farShards } from "../support/far-shards.ts";
import { Quiet } from "../support/quiet.ts";
import { eventually, type Person, Roost } from "../support/roost.ts";

/** 30 in `npm run prove`. */
const SECONDS = Number(process.env.ROOST_TOGGLE_SECONDS ?? 10);
const CLIENTS = 64;
const PEOPLE = 8;
/** So many pairs of them, in both directions; and of these, so many that one burst is about. */
const TWOS = 10;
const HOT = 2;
/** How many of the steps are looks at a home timeline; as many again do not wait for a quiet moment. */
const LOOKS = 0.1;
/** ms that a message between the far node and Postgres takes at most. */
const JITTER_MS = 60;

/** What a 503 asks for. */
const RETRY_AFTER_MS = 1_000;

const RELATIONS = ["follow", "unfollow", "block", "unblock", "mute", "unmute"] as const;
const ENGAGEMENTS = ["like", "unlike", "bookmark", "unbookmark"] as const;

describe("many clients that toggle the same few edges on two nodes", () => {
  let roost: Roost;
  let nodes: ServiceBroker[];
  let far: FarShards;
  let people: Person[];
  const tweets = new Map<Person, string>();

  beforeAll(async () => {
    roost = await Roost.start({
      shards: 3,
      env: { NATS_URL: process.env.ROOST_TEST_NATS_URL, PG_POOL_SIZE: "10" },
    });
    far = await farShards(roost.shards.topology, JITTER_MS);
    nodes = [roost.broker, (await roost.addNode({ TOPOLOGY_FILE: far.topologyFile })).broker];
    people = await roost.people(PEOPLE);
    for (const person of people) {
      for (let i = 0; i < 2; i++) {
        tweets.set(person, (await roost.call("tweet.create", { text: `${i}` }, person)).id);
      }
    }
    await roost.settle();
  });
  afterAll(async () => {
    await roost.stop();
    await far.close();
  });

  /** Asks again where that is what the answer says. Returns whether it was done; false: a block stands in the way. */
  async function insist<A extends ActionName>(action: A, params: ParamsOf<A>, as: Person): Promise<boolean> {
    for (let tries = 1; ; tries++) {
      try {
        await roost.call(action, params, as, pick(nodes));
        return true;
      } catch (error) {
        const code = errorCode(error);
        if (code === "FORBIDDEN" && /\.(follow|like|bookmark)$/.test(action)) return false;
        if (code !== "UNAVAILABLE" || tries === 30) throw error;
        await sleep(RETRY_AFTER_MS);
      }
    }
  }

  /** Forward edges and mirrors as they are, named by their ends, kind and id. */
  const bothSides = async () => {
    const { db } = roost.resources;
    const [forward, mirrors] = await Promise.all([
      db.readAll(sql<{ name: string }>`SELECT concat_ws(' ', src, kind, dst, id) AS name FROM edges`),
      db.readAll(sql<{ name: string }>`SELECT concat_ws(' ', src, kind, dst, id) AS name FROM inverse_edges`),
    ]);
    return [forward, mirrors].map((rows) => rows.map(({ name }) => name).sort());
  };

  it(
    "leave edges, mirrors, counters and Redis in agreement, and no timeline shows what is hidden meanwhile",
    async () => {
      const everyTwo = people.flatMap((a, i) => people.slice(i + 1).map((b) => [a, b] as const));
      const twos = shuffled(everyTwo).slice(0, TWOS);
      const quiet = new Quiet();
      const until = Date.now() + SECONDS * 1_000;
      let [done, refused, looks] = [0, 0, 0];

      const toggle = async (a: Person, b: Person) => {
        const [who, whom] = Math.random() < 0.5 ? [a, b] : [b, a];
        const made = await quiet.write([who.id, whom.id], () =>
          Math.random() < 0.7
            ? insist(`graph.${pick(RELATIONS)}`, { target_user_id: whom.id }, who)
            : insist(`graph.${pick(ENGAGEMENTS)}`, { tweet_id: tweets.get(whom) ?? "" }, who),
        );
        if (made) done++;
        else refused++;
      };
      // All that the viewer did, and that others did to them, has been answered by now.
      const look = async (viewer: Person) => {
        await quiet.read(viewer.id, async () => {
          expect(await roost.homeIds(viewer, 100, pick(nodes))).toEqual(await roost.oracle.homeOf(viewer.id));
        });
        looks++;
      };
      // A later change of an edge makes up for a race: so many short bursts on few edges, each with its end.
      while (Date.now() < until) {
        const hot = shuffled(twos).slice(0, HOT);
        await Promise.all(
          Array.from({ length: CLIENTS }, async () => {
            const [two, dice] = [pick(hot), Math.random()];
            if (dice < LOOKS) await look(pick(two));
            // Fills what Redis holds, right between the changes.
            else if (dice < 2 * LOOKS) await roost.homeIds(pick(two), 100, pick(nodes));
            else await toggle(...two);
          }),
        );
        // Only what could not be brought about before the answer is still to be done.
        await roost.settle();
        const [forward, mirrors] = await bothSides();
        expect(mirrors).toEqual(forward);
        expect(await roost.audit()).toEqual([]);
      }
      expect([done, refused, looks].every((count) => count > 0)).toBe(true);
      for (const viewer of people) await look(viewer);
    },
    60_000 + 3_000 * SECONDS,
  );

  it("leave nothing in Redis that a reader filled in while a change was on its way", async () => {
    const { db } = roost.resources;
    const strangers = await roost.people(12);
    const [a] = strangers as [Person];
    const b = strangers.find((person) => db.shardOf(person) !== db.shardOf(a)) as Person; // twelve are on all shards
    let blocking: Promise<unknown> = Promise.resolve();
    await db.transaction(b, async (tx) => {
      const name = [a.id, b.id].sort().join(" ");
      await tx.query(sql`SELECT pg_advisory_xact_lock(2, hashtext(${name}))`);
      blocking = roost.call("graph.block", { target_user_id: b.id }, a);
      const made = sql<{
        n: number;
      }>`SELECT count(*)::int AS n FROM edges WHERE src = ${a.id} AND kind = 'block'`;
      await eventually(async () => (await db.read(a, made))[0]?.n === 1, "a block whose mirror waits");
      await roost.homeIds(b);
    });
    await blocking;
    expect(await roost.audit()).toEqual([]);
  });
});

const pick = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)] as T; // never empty
const shuffled = <T>(list: readonly T[]): T[] => [...list].sort(() => Math.random() - 0.5);
