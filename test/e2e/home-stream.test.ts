import { limits } from "../../config/limits.ts";
import { gatewayPort } from "../../services/gateway/gateway.service.ts";
import type { RunningNode } from "../../services/node.ts";
import { Client } from "../support/client.ts";
import { eventually, Roost } from "../support/roost.ts";
import { serverUrl } from "../support/servers.ts";
import { StreamReader } from "../support/streams.ts";

describe("the stream of a home timeline, on two gateways", () => {
  let roost: Roost;
  let gateways: RunningNode[];
  let urls: string[];
  let count = 0;
  const readers: StreamReader[] = [];
  const usual = { ...limits.streams };

  const person = () => Client.signUp(urls[0] ?? "", `home${process.pid % 100_000}_${++count}`);
  const open = async (gateway: number, who: Client, lastSeen?: string, query = ""): Promise<StreamReader> => {
    const url = `${urls[gateway]}/2/users/${who.id}/timelines/reverse_chronological/stream${query}`;
    const reader = await StreamReader.open(url, who.token, lastSeen ? { "last-event-id": lastSeen } : {});
    readers.push(reader);
    return reader;
  };
  /**
   * From now on a stream looks only when a nudge says so, and for what it was told of until that shows: how long the fan-out
   * takes on a busy machine does not matter.
   */
  const lookOnlyWhenNudged = () => {
    const never = 3_600_000;
    const homeRetriesMs = new Array(300).fill(200);
    Object.assign(limits.streams, { homePollMs: never, refreshMs: never, homeRetriesMs });
  };
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

  beforeAll(async () => {
    const env = { NATS_URL: serverUrl("NATS") };
    roost = await Roost.start({ shards: 3, services: ["user", "graph"], env });
    const others: RunningNode[] = [];
    for (const service of ["tweet", "timeline", "gateway", "gateway"])
      others.push(await roost.addNode({ SERVICES: service }));
    gateways = others.slice(2);
    urls = gateways.map(({ broker }) => `http://127.0.0.1:${gatewayPort(broker)}`);
    for (const url of urls)
      await eventually(async () => (await fetch(`${url}/health/ready`)).ok, "a gateway that is ready");
  });
  afterEach(() => {
    for (const reader of readers.splice(0)) reader.close();
    Object.assign(limits.streams, usual);
  });
  afterAll(() => roost.stop());

  it("delivers what the home timeline shows, as server-sent events, and nothing else", async () => {
    const [me, friend, stranger] = [await person(), await person(), await person()];
    await me.follow(friend);
    const early = await friend.tweet("before");
    await eventually(async () => (await me.homeIds()).includes(early), "the tweet in the timeline");
    const both = [
      await open(0, me, undefined, "?expansions=author_id"),
      await open(1, me, undefined, "?exclude=replies"),
    ];
    await stranger.tweet("unheard");
    const first = await friend.tweet("heard");
    const own = await me.tweet("mine");
    const { body } = await friend.request("POST", "/2/tweets", {
      text: "ah",
      reply: { in_reply_to_tweet_id: own },
    });
    const reply = (body.data as { id: string }).id; // the contract of 201
    await both[0]?.has(first, own, reply);
    await both[1]?.has(first, own);
    const last = await friend.tweet("last");
    await Promise.all(both.map((reader) => reader.has(last)));
    // What is written at the same moment comes as the timeline gets it: one's own may overtake what is fanned out.
    expect(both[0]?.ids.toSorted()).toEqual([first, own, reply, last]);
    expect(both[1]?.ids.toSorted()).toEqual([first, own, last]);
    expect(both[0]?.headers["content-type"]).toMatch(/^text\/event-stream/);
    expect(both[0]?.delivered.map(({ id }) => id)).toEqual(both[0]?.ids);
    const heard = both[0]?.delivered.find(({ id }) => id === first);
    expect(heard?.body.includes?.users).toMatchObject([{ id: friend.id }]);
  });

  it("follows along: whom one follows from now on, and whom no longer, mutes or blocks", async () => {
    const [me, friend, muted, blocker] = [await person(), await person(), await person(), await person()];
    for (const who of [muted, blocker]) await me.follow(who);
    lookOnlyWhenNudged();
    const reader = await open(1, me);
    const learns = jest.spyOn(gateways[1]?.broker ?? roost.broker, "call");
    await me.follow(friend);
    // It is told of whom one follows, and asks; a tweet that comes before would wait for the next look.
    const hasLearned = async () => {
      const asked = learns.mock.calls.findIndex(([action]) => action === "timeline.authors");
      return String(await learns.mock.results[asked]?.value).includes(friend.id);
    };
    await eventually(hasLearned, "the stream told of the follow");
    learns.mockRestore();
    const heard = await friend.tweet("heard at once");
    await reader.has(heard);
    await me.request("POST", `/2/users/${me.id}/muting`, { target_user_id: muted.id });
    await blocker.request("POST", `/2/users/${blocker.id}/blocking`, { target_user_id: me.id });
    await me.request("DELETE", `/2/users/${me.id}/following/${friend.id}`);
    for (const who of [muted, blocker, friend]) await who.tweet("not to be heard");
    const own = await me.tweet("own");
    await reader.has(own);
    expect(reader.ids).toEqual([heard, own]);
  });

  it("withholds what a quoted author has blocked the viewer from, and says so as the timeline does", async () => {
    const [me, friend, blocker] = [await person(), await person(), await person()];
    await me.follow(friend);
    await blocker.request("POST", `/2/users/${blocker.id}/blocking`, { target_user_id: me.id });
    const reader = await open(0, me, undefined, "?expansions=referenced_tweets.id");
    const quoted = await blocker.tweet("not for me");
    const { body } = await friend.request("POST", "/2/tweets", { text: "look", quote_tweet_id: quoted });
    const quote = (body.data as { id: string }).id; // the contract of 201
    await reader.has(quote);
    expect(reader.delivered[0]?.body).not.toHaveProperty("includes");
    expect(reader.delivered[0]?.body).toMatchObject({
      errors: [{ value: quoted, title: "Authorization Error" }],
    });
  });

  it("resumes where the client was, again and again while tweets are written: none is lost, none comes twice", async () => {
    const [me, ...friends] = [await person(), await person(), await person()];
    if (!me) throw new Error("somebody");
    for (const friend of friends) await me.follow(friend);
    const written: string[] = [];
    let writing = true;
    const writers = friends.map(async (friend) => {
      while (writing) written.push(await friend.tweet(`number ${written.length}`));
    });
    const seen = new Set<string>();
    let lastSeen: string | undefined;
    const read = async (gateway: number, until: (reader: StreamReader) => boolean) => {
      const reader = await open(gateway, me, lastSeen);
      await eventually(() => until(reader), "events of a resumed stream");
      reader.close();
      expect(reader.ids).toEqual([...new Set(reader.ids)]);
      expect(reader.delivered.some(({ event }) => event === "gap")).toBe(false);
      for (const id of reader.ids) seen.add(id);
      lastSeen = reader.ids.at(-1) ?? lastSeen;
    };
    let since = "";
    try {
      await read(0, (reader) => reader.ids.length >= 5);
      since = seen.values().next().value ?? "";
      for (let turn = 1; turn < 7; turn++) {
        await pause(turn * 30);
        await read(turn % 2, (reader) => reader.ids.some((id) => !seen.has(id)));
      }
    } finally {
      writing = false;
      await Promise.all(writers);
    }
    const due = written.filter((id) => id >= since);
    await read(1, (reader) => due.every((id) => seen.has(id) || reader.ids.includes(id)));
    expect(due.filter((id) => !seen.has(id))).toEqual([]);
    expect(due.length).toBeGreaterThan(20);
  });

  it("tells of a gap where more was missed than is replayed", async () => {
    Object.assign(limits.streams, { replayed: 100, overlapMs: 100 });
    const me = await person();
    const ids: string[] = [];
    for (let n = 0; n < 130; n++) ids.push(await me.tweet(`number ${n}`));
    const reader = await open(0, me, ids[0]);
    await reader.has(...ids.slice(-100));
    expect(reader.delivered[0]).toMatchObject({ event: "gap", body: { until_id: ids.at(-100) } });
    expect(reader.ids).toEqual(ids.slice(-100));
  });

  it("delivers in spite of lost nudges", async () => {
    const [me, friend] = [await person(), await person()];
    await me.follow(friend);
    // The feed's own look finds them, not that of the timeline.
    lookOnlyWhenNudged();
    const spies = roost.nodes.map(({ broker }) =>
      jest.spyOn(broker, "broadcast").mockResolvedValue(undefined),
    );
    try {
      const reader = await open(0, me);
      const ids = await Promise.all(Array.from({ length: 20 }, (_, i) => friend.tweet(`unannounced ${i}`)));
      await reader.has(...ids);
      expect(reader.ids.toSorted()).toEqual(ids.toSorted());
    } finally {
      for (const spy of spies) spy.mockRestore();
    }
  });

  it("delivers what its nudge never told of: an author who was not known to be followed yet", async () => {
    const [me, friend] = [await person(), await person()];
    const spies = roost.nodes.map(({ broker }) =>
      jest.spyOn(broker, "broadcast").mockResolvedValue(undefined),
    );
    try {
      const reader = await open(1, me);
      await me.follow(friend);
      await reader.has(await friend.tweet("from nowhere"));
    } finally {
      for (const spy of spies) spy.mockRestore();
    }
  });

  it("delivers what is fanned out late", async () => {
    const [me, friend] = [await person(), await person()];
    await me.follow(friend);
    await me.homeIds();
    // Later than looks go back by themselves.
    Object.assign(limits.streams, { overlapMs: 100, homePollMs: 500 });
    const { broker } = roost;
    const reader = await open(0, me);
    await broker.broadcast("outbox.pause", { paused: true });
    const late = await friend.tweet("late");
    await pause(1_500);
    expect(reader.ids).toEqual([]);
    await broker.broadcast("outbox.pause", { paused: false });
    await reader.has(late);
    expect(reader.ids).toEqual([late]);
  });

  it("is one's own only, and begins with an id that can be one", async () => {
    const [me, other] = [await person(), await person()];
    const others = `${urls[0]}/2/users/${other.id}/timelines/reverse_chronological/stream`;
    await expect(StreamReader.open(others, me.token)).rejects.toThrow("403");
    await expect(open(0, me, "yesterday")).rejects.toThrow("400");
  });

  it("ends when its token is revoked", async () => {
    const me = await person();
    const reader = await open(0, me);
    await me.request("POST", "/auth/logout");
    await eventually(() => reader.ended, "the end of the stream");
    expect(reader.broken).toBe(false);
  });
});
