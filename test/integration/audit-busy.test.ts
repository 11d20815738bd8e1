import type { ServiceBroker } from "moleculer";
import { errorCode } from "../../services/contracts/errors.ts";
import { type FarShards, farShards } from "../support/far-shards.ts";
import { type Person, Roost } from "../support/roost.ts";

const CLIENTS = 24;
const PEOPLE = 16;
const AUDITS = 8;
const JITTER_MS = 30;

describe("an audit of a busy system", () => {
  let roost: Roost;
  let far: FarShards;
  let nodes: ServiceBroker[];
  let people: Person[];
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
      { user_id: who.id, limit: 5, with_authors: true },
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

  it("finds nothing, whatever is under way", async () => {
    let [steps, over] = [0, false];
    const refused = new Set(["FORBIDDEN", "NOT_FOUND", "CONFLICT", "UNAVAILABLE", "INVALID_REQUEST"]);
    const busy = Promise.all(
      Array.from({ length: CLIENTS }, async () => {
        for (; !over; steps++) {
          await step().catch((error) => {
            if (!refused.has(errorCode(error) ?? "")) throw error;
          });
        }
      }),
    );
    const findings = [];
    for (let i = 0; i < AUDITS; i++)
      findings.push(...(await Promise.race([busy.then(() => []), roost.audit()])));
    over = true;
    await busy;
    expect(findings).toEqual([]);
    expect(steps).toBeGreaterThan(CLIENTS);
    await roost.settle();
    expect(await roost.audit()).toEqual([]);
  }, 120_000);
});
