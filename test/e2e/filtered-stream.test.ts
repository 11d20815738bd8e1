import { limits } from "../../config/limits.ts";
import { gatewayPort } from "../../services/gateway/gateway.service.ts";
import type { RunningNode } from "../../services/node.ts";
import { type Answer, Client, send } from "../support/client.ts";
import { eventually, Roost } from "../support/roost.ts";
import { serverUrl } from "../support/servers.ts";
import { appOnlyToken, StreamReader } from "../support/streams.ts";

const RULES = "/2/tweets/search/stream/rules";
const STREAM = "/2/tweets/search/stream";

describe("the filtered stream, on two gateways", () => {
  let roost: Roost;
  let gateways: RunningNode[];
  let urls: string[];
  let alice: Client;
  let token: string;
  const readers: StreamReader[] = [];

  const api = (method: string, path: string, body?: unknown, as = token): Promise<Answer> =>
    send(urls[0] ?? "", method, path, { body, headers: { authorization: `Bearer ${as}` } });
  const addRules = async (...rules: { value: string; tag?: string }[]) =>
    (await api("POST", RULES, { add: rules })).body;
  const open = async (gateway: number, query = "", as = token): Promise<StreamReader> => {
    const reader = await StreamReader.open(`${urls[gateway]}${STREAM}${query}`, as);
    readers.push(reader);
    return reader;
  };
  const openStreams = async () => {
    const counts = await Promise.all(
      gateways.map(({ metricsPort }) =>
        fetch(`http://127.0.0.1:${metricsPort}/metrics`).then((answer) => answer.text()),
      ),
    );
    return counts.reduce((sum, text) => sum + Number(/^roost_streams_open (\d+)$/m.exec(text)?.[1]), 0);
  };

  beforeAll(async () => {
    roost = await Roost.start({ shards: 3, env: { NATS_URL: serverUrl("NATS") } });
    gateways = [await roost.addNode({ SERVICES: "gateway" }), await roost.addNode({ SERVICES: "gateway" })];
    urls = gateways.map(({ broker }) => `http://127.0.0.1:${gatewayPort(broker)}`);
    for (const url of urls)
      await eventually(async () => (await fetch(`${url}/health/ready`)).ok, "a gateway that is ready");
    alice = await Client.signUp(urls[0] ?? "", `filtered_${process.pid}`);
    ({ token } = await appOnlyToken(roost));
  });
  afterEach(async () => {
    for (const reader of readers.splice(0)) reader.close();
    await api("POST", `${RULES}?delete_all=true`, {});
    await eventually(async () => (await openStreams()) === 0, "all streams closed");
  });
  afterAll(() => roost.stop());

  it("takes rules that are right and says what is wrong with the others", async () => {
    const tried = await api("POST", `${RULES}?dry_run=true`, { add: [{ value: "kiwi", tag: "fruit" }] });
    expect([tried.status, tried.body.meta]).toMatchObject([200, { summary: { created: 1, valid: 1 } }]);
    expect((await api("GET", RULES)).body).toMatchObject({ data: [], meta: { result_count: 0 } });
    const added = await addRules(
      { value: "kiwi", tag: "fruit" },
      { value: "(kiwi" },
      { value: "kiwi" },
      { value: "#lime" },
    );
    expect(added).toMatchObject({
      data: [{ value: "kiwi", tag: "fruit" }, { value: "#lime" }],
      meta: { summary: { created: 2, not_created: 2, valid: 3, invalid: 1 } },
      errors: [
        { title: "Invalid Rule", detail: expect.stringMatching(/^\(kiwi: at column 6: expected/) },
        { title: "Duplicate Rule", value: "kiwi" },
      ],
    });
    const { body } = await api("GET", RULES);
    expect(body.data).toEqual(added.data);
    const [kiwi, lime] = body.data as { id: string; value: string }[]; // as added
    expect((await addRules({ value: "kiwi" })).errors).toMatchObject([{ id: kiwi?.id, value: "kiwi" }]);
    expect((await api("GET", `${RULES}?ids=${lime?.id}`)).body.data).toEqual([lime]);
    const first = await api("GET", `${RULES}?max_results=1`);
    const next = first.body.meta?.next_token;
    expect((await api("GET", `${RULES}?max_results=1&pagination_token=${next}`)).body.data).toEqual([lime]);
    const gone = await api("POST", RULES, { delete: { ids: [kiwi?.id, "5"] } });
    expect(gone.body).toMatchObject({
      meta: { summary: { deleted: 1, not_deleted: 1 } },
      errors: [{ detail: "There is no rule 5." }],
    });
    expect((await api("POST", RULES, { delete: { values: ["#lime"] } })).body.meta).toMatchObject({
      summary: { deleted: 1 },
    });
    expect((await api("GET", RULES)).body.data).toEqual([]);
  });

  it.each([
    [{}],
    [{ add: [], delete: { ids: ["1"] } }],
    [{ delete: {} }],
    [{ add: [{ value: 5 }] }],
    [{ add: [{ value: "a", tga: "b" }] }],
  ])("refuses %j", async (body) => {
    expect(await api("POST", RULES, body)).toMatchObject({
      status: 400,
      body: { errors: [expect.anything()] },
    });
  });

  it("keeps the rules of an app and of a user apart", async () => {
    const other = await appOnlyToken(roost, 1_000);
    await addRules({ value: "mango" });
    expect((await api("GET", RULES, undefined, other.token)).body.data).toEqual([]);
    expect((await alice.request("POST", RULES, { add: [{ value: "mango" }] })).body.meta).toMatchObject({
      summary: { created: 1 },
    });
    expect((await alice.request("POST", `${RULES}?delete_all=true`, {})).body.meta).toMatchObject({
      summary: { deleted: 1 },
    });
    expect((await api("GET", RULES)).body.data).toHaveLength(1);
  });

  it("delivers what matches, with the rules that it matches, and nothing else", async () => {
    const { data } = await addRules(
      { value: "grape", tag: "g" },
      { value: `from:${alice.username} -is:retweet` },
      { value: "never" },
    );
    const [grape, from] = data as { id: string }[]; // as added
    const both = [await open(0, "?expansions=author_id&tweet.fields=lang"), await open(1)];
    const first = await alice.tweet("A GRAPE, or two");
    const second = await alice.tweet("anything");
    for (const reader of both) {
      await reader.has(first, second);
      expect(reader.ids).toEqual([first, second]);
      expect(reader.headers["content-type"]).toMatch(/^application\/json/);
      expect(reader.heartbeats).toBeGreaterThan(0);
      const rules = reader.delivered.map(({ body }) => body.matching_rules);
      expect(rules).toEqual([[{ id: grape?.id, tag: "g" }, { id: from?.id }], [{ id: from?.id }]]);
    }
    expect(both[0]?.delivered[0]?.body).toMatchObject({
      data: { id: first, lang: expect.any(String), author_id: alice.id },
      includes: { users: [{ id: alice.id, username: alice.username }] },
    });
    expect(Object.keys(both[1]?.delivered[0]?.body.data ?? {}).sort()).toEqual([
      "edit_history_tweet_ids",
      "id",
      "text",
    ]);
  });

  it("speaks of posts where it is asked in posts", async () => {
    await addRules({ value: "guava" });
    const reader = await open(0, "?post.fields=created_at");
    await reader.has(await alice.tweet("guava"));
    expect(reader.delivered[0]?.body.data).toHaveProperty("edit_history_post_ids");
  });

  it("delivers nothing across a block to a user, not from the past either", async () => {
    const [me, blocker] = [
      await Client.signUp(urls[0] ?? "", `apart_${process.pid}`),
      await Client.signUp(urls[0] ?? "", `blocker_${process.pid}`),
    ];
    await blocker.request("POST", `/2/users/${blocker.id}/blocking`, { target_user_id: me.id });
    await me.request("POST", "/2/tweets/search/stream/rules", { add: [{ value: "kumquat" }] });
    const [early, seen] = [await blocker.tweet("kumquat"), await alice.tweet("kumquat")];
    const { body } = await alice.request("POST", `/2/users/${alice.id}/retweets`, { tweet_id: early });
    expect(body).toMatchObject({ data: { retweeted: true } });
    const reader = await open(0, "?backfill_minutes=5", me.token);
    await blocker.tweet("kumquat again");
    const last = await alice.tweet("kumquat at last");
    await reader.has(seen, last);
    expect(reader.ids).toEqual([seen, last]);
  });

  it("follows a change of rules, made on another gateway, without a new connection", async () => {
    const reader = await open(1);
    await addRules({ value: "peach" });
    await eventually(async () => {
      await alice.tweet("peach");
      return reader.delivered.length > 0;
    }, "a delivery by the new rule");
  });

  it("delivers in spite of lost nudges, each tweet once", async () => {
    const broadcast = jest.spyOn(roost.broker, "broadcast").mockResolvedValue(undefined);
    try {
      await addRules({ value: "lychee" });
      const reader = await open(0);
      const ids = await Promise.all(Array.from({ length: 30 }, (_, i) => alice.tweet(`lychee ${i}`)));
      await reader.has(...ids);
      await new Promise((resolve) => setTimeout(resolve, 2 * limits.streams.pollMs));
      expect(reader.ids.toSorted()).toEqual(ids.toSorted());
    } finally {
      broadcast.mockRestore();
    }
  });

  it("begins some minutes ago where it is asked to, without a gap or a repeat, and ends at a time", async () => {
    await addRules({ value: "papaya" }, { value: "papaya OR pomelo" });
    const before = [await alice.tweet("papaya"), await alice.tweet("pomelo")];
    // The search for what was before finds what is heard of meanwhile as well.
    const { broker } = gateways[1] ?? roost;
    const call = broker.call.bind(broker);
    const [searching, heard] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const held = jest.spyOn(broker, "call").mockImplementation(async (action: string, ...rest: unknown[]) => {
      if (action === "tweet.search") {
        searching.resolve();
        await heard.promise;
      }
      return Reflect.apply(call, broker, [action, ...rest]);
    });
    const opening = open(1, "?backfill_minutes=5");
    await searching.promise;
    const meanwhile = await Promise.all(Array.from({ length: 20 }, (_, i) => alice.tweet(`papaya ${i}`)));
    await new Promise((resolve) => setTimeout(resolve, 1.5 * limits.streams.pollMs));
    heard.resolve();
    const reader = await opening;
    held.mockRestore();
    const ids = [...before, ...meanwhile];
    // It comes after whatever else is delivered.
    ids.push(await alice.tweet("the last papaya"));
    await reader.has(...ids);
    expect(reader.ids.toSorted()).toEqual(ids.toSorted());
    expect(reader.delivered[0]?.body.matching_rules).toHaveLength(2);
    const end_time = new Date(Date.now() + 500).toISOString();
    const ending = await open(0, `?backfill_minutes=5&end_time=${end_time}`);
    await ending.has(...ids);
    await eventually(() => ending.ended, "the end of the stream");
    expect(ending.broken).toBe(false);
    const early = new Date(Date.now() - 6 * 60_000).toISOString();
    await expect(open(0, `?start_time=${early}`)).rejects.toThrow("400");
  });

  it("hangs up on a reader who is too slow, and goes on with the others", async () => {
    const tag = "t".repeat(limits.streams.tagLength);
    // Eighty rules that say the same: each tweet is 80 kB on the wire.
    for (const part of [1, 2]) {
      const rules = Array.from({ length: 40 }, (_, i) => ({ value: `durian -x${part}x${i}`, tag }));
      expect((await addRules(...rules)).data).toHaveLength(40);
    }
    const slow = await open(0);
    const quick = await open(0);
    slow.pause();
    const ids: string[] = [];
    const dropped = async () => {
      ids.push(await alice.tweet("durian"));
      return (await openStreams()) === 1;
    };
    await eventually(dropped, "the slow reader dropped");
    await quick.has(...ids);
    slow.resume();
    await eventually(() => slow.ended, "the end of the slow stream");
    expect(slow.broken).toBe(true);
    expect(slow.ids.length).toBeLessThan(ids.length);
  });

  it("refuses a reader who has too many streams already", async () => {
    for (let n = 0; n < limits.streams.connectionsEach; n++) await open(0);
    await expect(open(0)).rejects.toThrow("429");
    await open(1);
    readers[0]?.close();
    await eventually(
      () =>
        open(0).then(
          () => true,
          () => false,
        ),
      "room for another stream",
    );
  });

  it("sends heartbeats while there is nothing else to send", async () => {
    const { heartbeatMs } = limits.streams;
    Object.assign(limits.streams, { heartbeatMs: 50 });
    try {
      const reader = await open(0);
      await eventually(() => reader.heartbeats >= 5, "some heartbeats");
    } finally {
      Object.assign(limits.streams, { heartbeatMs });
    }
  });

  it("ends when its token is revoked", async () => {
    const bob = await Client.signUp(urls[0] ?? "", `revoked_${process.pid}`);
    const reader = await open(1, "", bob.token);
    expect((await bob.request("POST", "/auth/logout")).status).toBe(200);
    await eventually(() => reader.ended, "the end of the stream");
    await expect(open(1, "", bob.token)).rejects.toThrow("401");
  });

  it("ends in order, and at once, when its gateway stops", async () => {
    const gateway = await roost.addNode({ SERVICES: "gateway" });
    const url = `http://127.0.0.1:${gatewayPort(gateway.broker)}`;
    await eventually(async () => (await fetch(`${url}/health/ready`)).ok, "a gateway that is ready");
    const reader = await StreamReader.open(`${url}${STREAM}`, token);
    const stopped = gateway.stop();
    await eventually(() => reader.ended, "the end of the stream");
    expect(reader.broken).toBe(false);
    await stopped;
    roost.nodes.splice(roost.nodes.indexOf(gateway), 1);
  });
});
