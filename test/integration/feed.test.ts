import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ServiceBroker } from "moleculer";
import { limits } from "../../config/limits.ts";
import { bucketOf } from "../../mixins/shard-db/ids.ts";
import { sql } from "../../mixins/shard-db/index.ts";
import { scatter } from "../../mixins/shard-db/scatter.ts";
import type { Tweet } from "../../services/contracts/tweets.ts";
import type { Id } from "../../services/contracts/users.ts";
import { callsOn } from "../../services/gateway/streams/calls.ts";
import { Feed } from "../../services/gateway/streams/feed.ts";
import { eventually, type Person, Roost } from "../support/roost.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";

/** A feed that looks so seldom looks when it is nudged. */
const NEVER_MS = 3_600_000;

describe("the feed of new tweets", () => {
  let roost: Roost;
  let proxy: TcpProxy;
  /** Reaches one of the three shards through the proxy. */
  let cutOff: ServiceBroker;
  let people: Person[];
  let feed: Feed;
  let heard: Id[];
  const usual = { ...limits.streams };
  const folder = mkdtempSync(join(tmpdir(), "roost-proxy-"));

  const hear = (tweets: readonly Tweet[]) => heard.push(...tweets.map(({ id }) => id));
  const write = async (who: Person | undefined, text = "hello"): Promise<Id> =>
    (await roost.call("tweet.create", { text }, who)).id;
  const on = (shard: string) => people.find((person) => roost.resources.db.shardOf(person) === shard);
  const hasHeard = (...ids: Id[]) =>
    eventually(() => ids.every((id) => heard.includes(id)), "tweets heard of");

  beforeAll(async () => {
    roost = await Roost.start({ shards: 3 });
    const { shards } = roost.shards.topology;
    const [s0, s1, s2] = shards;
    if (!s0 || !s1 || !s2) throw new Error("three shards");
    proxy = await TcpProxy.to(s2.primary);
    const file = join(folder, "topology.json");
    writeFileSync(file, JSON.stringify({ shards: [s0, s1, { ...s2, primary: proxy.url }] }));
    cutOff = (await roost.addNode({ TOPOLOGY_FILE: file })).broker;
    // So many that no shard has none of them.
    people = await roost.people(40);
  });
  beforeEach(() => {
    heard = [];
    feed = new Feed(callsOn(cutOff));
  });
  afterEach(async () => {
    await feed.stop();
    proxy.open();
    Object.assign(limits.streams, usual);
  });
  afterAll(async () => {
    await roost.stop();
    await proxy.close();
    rmSync(folder, { recursive: true });
  });

  it("has every tweet that is written once somebody listens, each once, and none from before", async () => {
    await write(people[0], "before");
    await feed.subscribe(hear);
    const ids: Id[] = [];
    for (let round = 0; round < 4; round++) {
      ids.push(...(await Promise.all(people.map((person) => write(person)))));
      feed.nudge();
    }
    await hasHeard(...ids);
    await new Promise((resolve) => setTimeout(resolve, 2 * limits.streams.pollMs));
    expect(heard.toSorted()).toEqual(ids.toSorted());
  });

  it("has what was committed late, after newer ones", async () => {
    await feed.subscribe(hear);
    const author = on("s0")?.id ?? "";
    let late = "";
    const newer = await roost.resources.db.transaction({ id: author }, async (tx) => {
      const [row] = await tx.query(
        sql<{
          id: Id;
        }>`INSERT INTO tweets (id, author_id, text) VALUES (next_id(${bucketOf(author)}), ${author}, 'late') RETURNING id`,
      );
      late = row?.id ?? "";
      const id = await write(on("s0"), "newer");
      await hasHeard(id);
      // The shard's own clock has passed it by now.
      await new Promise((resolve) => setTimeout(resolve, 1.5 * limits.streams.pollMs));
      return id;
    });
    await hasHeard(late);
    expect(heard).toEqual([newer, late]);
  });

  it("goes on without a shard that is away, and then has what that shard had meanwhile", async () => {
    await feed.subscribe(hear);
    proxy.cut();
    const elsewhere = [await write(on("s0")), await write(on("s1"))];
    const there = [await write(on("s2")), await write(on("s2"))];
    await hasHeard(...elsewhere);
    // One look may see the second alone: the shards are asked at the same time, each in its own.
    expect(heard.toSorted()).toEqual(elsewhere.toSorted());
    proxy.open();
    await hasHeard(...there);
    expect(heard.slice(elsewhere.length)).toEqual(there);
  });

  it("has more than a shard answers at a time", async () => {
    // What is not taken at the first look is further back than looks go.
    Object.assign(limits.streams, { batch: 7, pollMs: NEVER_MS, overlapMs: 100 });
    feed = new Feed(callsOn(cutOff));
    await feed.subscribe(hear);
    const ids = await scatter(Array.from({ length: 60 }), 8, () => write(on("s1")));
    await new Promise((resolve) => setTimeout(resolve, 2 * limits.streams.overlapMs));
    feed.nudge();
    await hasHeard(...ids);
    expect(heard.toSorted()).toEqual(ids.toSorted());
  });

  it("does not have what was deleted before it looked", async () => {
    Object.assign(limits.streams, { pollMs: NEVER_MS });
    feed = new Feed(callsOn(cutOff));
    await feed.subscribe(hear);
    const gone = await write(people[0]);
    await roost.call("tweet.delete", { id: gone }, people[0]);
    const kept = await write(people[0]);
    feed.nudge();
    await hasHeard(kept);
    expect(heard).toEqual([kept]);
  });

  it("asks nothing while nobody listens, and begins anew with the next one who does", async () => {
    const calls = jest.spyOn(cutOff, "call");
    const quiet = async () => {
      calls.mockClear();
      await new Promise((resolve) => setTimeout(resolve, 1.5 * limits.streams.pollMs));
      return calls.mock.calls.length;
    };
    expect(await quiet()).toBe(0);
    await feed.subscribe(hear);
    feed.unsubscribe(hear);
    expect(await quiet()).toBe(0);
    await write(people[0], "unheard");
    await feed.subscribe(hear);
    const id = await write(people[0]);
    await hasHeard(id);
    expect(heard).toEqual([id]);
    calls.mockRestore();
  });
});
