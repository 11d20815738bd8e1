import { setTimeout as sleep } from "node:timers/promises";
import { sql } from "../../mixins/shard-db/index.ts";
import type { EventMap } from "../../services/contracts/events.ts";
import { type Person, Roost } from "../support/roost.ts";
import { serverUrl } from "../support/servers.ts";

/** Longer than any drain leaves a shard unlooked at. */
const SEVERAL_POLLS_MS = 1_500;

describe("pausing the outbox", () => {
  let roost: Roost;
  beforeAll(async () => {
    roost = await Roost.start({ shards: 2, env: { NATS_URL: serverUrl("NATS") } });
    await addDrainingNode();
  });
  afterAll(() => roost.stop());

  const addDrainingNode = async () => {
    const { broker } = await roost.addNode({ SERVICES: "graph,timeline" });
    await roost.meets(broker.nodeID);
  };
  const pause = (payload: EventMap["outbox.pause"]) => roost.broker.broadcast("outbox.pause", payload);
  const waiting = async () => {
    const jobs = await roost.resources.db.readAll(sql<{ kind: string }>`SELECT kind FROM outbox`);
    return jobs.map(({ kind }) => kind).sort();
  };
  /** A job of each service that drains: a tweet to fan out, a mirror to reconcile. */
  const work = async (author: Person, follower: Person) => {
    const { db } = roost.resources;
    const { id } = await roost.call("tweet.create", { text: "while paused" }, author);
    const edge = { src: follower.id, kind: "follow", dst: author.id };
    await db.write(
      { id: follower.id },
      sql`SELECT enqueue(bucket_of(${follower.id}), 'edge', ${JSON.stringify(edge)})`,
    );
    return id;
  };

  it("holds the jobs of all nodes until an operator has the drains go on", async () => {
    const [author, follower] = (await roost.people(2)) as [Person, Person];
    await roost.call("graph.follow", { target_user_id: author.id }, follower);
    await roost.settle();
    await roost.homeIds(follower);

    await pause({ paused: true });
    const tweet = await work(author, follower);
    await sleep(SEVERAL_POLLS_MS);
    expect(await waiting()).toEqual(["edge", "tweet"]);
    expect(await roost.homeIds(author)).toContain(tweet);
    expect(await roost.homeIds(follower)).not.toContain(tweet);

    await pause({ paused: false });
    await roost.settle();
    expect(await waiting()).toEqual([]);
    expect(await roost.homeIds(follower)).toContain(tweet);
  });

  it("does not concern a node that starts later", async () => {
    const [author, follower] = (await roost.people(2)) as [Person, Person];
    await pause({ paused: true });
    await work(author, follower);
    await addDrainingNode();
    await roost.settle();
    await pause({ paused: false });
  });

  it("is left as it was by a payload that says nothing", async () => {
    const [author, follower] = (await roost.people(2)) as [Person, Person];
    await pause({ paused: true });
    await roost.broker.broadcast("outbox.pause", { paused: "perhaps" });
    await roost.broker.broadcast("outbox.pause", {});
    await work(author, follower);
    await sleep(SEVERAL_POLLS_MS);
    // The node of the test before, which started unpaused, has learned of this pause.
    expect(await waiting()).toEqual(["edge", "tweet"]);
    await pause({ paused: false });
    await roost.settle();
  });
});
