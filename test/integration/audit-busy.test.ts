import { Redis } from "ioredis";
import type { ServiceBroker } from "moleculer";
import { sql } from "../../mixins/shard-db/index.ts";
import { errorCode } from "../../services/contracts/errors.ts";
import { type FarShards, farShards } from "../support/far-shards.ts";
import { eventually, type Person, Roost } from "../support/roost.ts";
import { serverUrl } from "../support/servers.ts";

const CLIENTS = 24;
const PEOPLE = 16;
const AUDITS = 6;
const JITTER_MS = 30;
/** What people may be answered who do things in any order. */
const REFUSALS = new Set(["FORBIDDEN", "NOT_FOUND", "CONFLICT", "UNAVAILABLE", "INVALID_REQUEST"]);

describe("an audit of a busy system", () => {
  let roost: Roost;
  let far: FarShards;
  let nodes: ServiceBroker[];
  let people: Person[];
  const raw = new Redis(serverUrl("REDIS"));
  beforeAll(async () => {
    roost = await Roost.start({
      shards: 3,
      env: {
        NATS_URL: process.env.ROOST_TEST_NATS_URL,
        PG_POOL_SIZE: "10",
        FANOUT_POLICY: "8",
        FANOUT_PAGE: "4",
      },
    });
    far = await farShards(roost.shards.topology, JITTER_MS);
    nodes = [roost.broker, (await roost.addNode({ TOPOLOGY_FILE: far.topologyFile })).broker];
    people = await roost.people(PEOPLE);
  });
  afterAll(async () => {
    raw.disconnect();
    await roost.stop();
    await far.close();
  });

  const pick = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)] as T; // never empty

  /** One thing that somebody does. */
  async function step(): Promise<void> {
    const [who, whom, on] = [pick(people), pick(people), pick(nodes)];
    const target = { target_user_id: whom.id };
    const { tweets } = await roost.call(
      "timeline.home",
      { user_id: who.id, limit: 5, expand: ["author_id"] },
      who,
      on,
    );
    const tweet = tweets[0];
    const acts: (() => Promise<unknown>)[] = [
      () => roost.call("tweet.create", { text: "hello" }, who, on),
      () => roost.call("tweet.create", { text: "hello" }, who, on),
      () => roost.call("graph.follow", target, who, on),
      () => roost.call("graph.follow", target, who, on),
      () => roost.call("graph.unfollow", target, who, on),
      () =>
        roost.call(
          pick(["graph.block", "graph.unblock", "graph.mute", "graph.unmute"] as const),
          target,
          who,
          on,
        ),
      () => roost.call("user.update", { name: String(Math.random()) }, who, on),
    ];
    if (tweet) {
      const { id, author_id } = tweet;
      acts.push(
        () => roost.call(pick(["graph.like", "graph.unlike"] as const), { tweet_id: id }, who, on),
        () => roost.call(pick(["tweet.retweet", "tweet.unretweet"] as const), { tweet_id: id }, who, on),
        () => roost.call("tweet.create", { text: "me too", in_reply_to_tweet_id: id }, who, on),
        () => roost.call("tweet.delete", { id }, { id: author_id, username: "" }, on),
      );
    }
    await pick(acts)();
  }

  /** Runs `work` while everybody is busy; then lets the system come to rest. */
  async function whileBusy<T>(work: () => Promise<T>): Promise<T> {
    let [steps, over] = [0, false];
    const busy = Promise.all(
      Array.from({ length: CLIENTS }, async () => {
        for (; !over; steps++) {
          await step().catch((error) => {
            if (!REFUSALS.has(errorCode(error) ?? "")) throw error;
          });
        }
      }),
    );
    const ended = busy.then(() => Promise.reject(new Error("nobody is busy any more")));
    const result = await Promise.race([work(), ended]).finally(() => {
      over = true;
    });
    await busy;
    expect(steps).toBeGreaterThan(CLIENTS);
    await roost.settle();
    return result;
  }

  it("finds nothing, whatever is under way", async () => {
    const findings = await whileBusy(async () => {
      const all = [];
      for (let i = 0; i < AUDITS; i++) all.push(...(await roost.audit()));
      return all;
    });
    expect(findings).toEqual([]);
    expect(await roost.audit()).toEqual([]);
  });

  it("mends what is wrong while people go on", async () => {
    const ids = people.map(({ id }) => id);
    const sets = ids.map((id) => roost.store.keys.following(id));
    const found = await whileBusy(async () => {
      await eventually(async () => (await raw.exists(...sets)) > 0, "somebody's following in Redis");
      await spoil(ids, sets);
      return roost.mend();
    });
    expect(found.map(({ check }) => check)).toEqual(expect.arrayContaining(["mirror", "counter"]));
    expect(await roost.audit()).toEqual([]);
    for (const viewer of people)
      expect(await roost.homeIds(viewer)).toEqual(await roost.oracle.homeOf(viewer.id));
  });

  async function spoil(ids: string[], sets: string[]): Promise<void> {
    const { db } = roost.resources;
    await db.readAll(sql`DELETE FROM inverse_edges WHERE kind IN ('follow', 'like', 'retweet')`);
    await db.readAll(sql`UPDATE counters SET value = value + 3`);
    for (const key of sets) if (await raw.exists(key)) await raw.sadd(key, ids[0] ?? "", "7");
  }
});
