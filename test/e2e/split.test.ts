import { randomBytes } from "node:crypto";
import { Client, send } from "../support/client.ts";
import { Cluster, type ServiceProcess } from "../support/cluster.ts";
import { eventually, Roost } from "../support/roost.ts";

describe("five services, each a process of its own, over NATS", () => {
  let roost: Roost;
  let cluster: Cluster;
  let tweetProcess: ServiceProcess;
  let alice: Client;
  let bob: Client;
  const run = randomBytes(3).toString("hex");
  beforeAll(async () => {
    roost = await Roost.start({ shards: 3, services: [] });
    cluster = await Cluster.start(roost.env, ["user", "graph", "timeline"]);
    tweetProcess = await cluster.spawn("tweet");
    await cluster.spawn("gateway");
    await cluster.ready();
    [alice, bob] = await Promise.all([
      Client.signUp(cluster.url, `alice_${run}`),
      Client.signUp(cluster.url, `bob_${run}`),
    ]);
  });
  afterAll(async () => {
    await cluster.stop();
    await roost.stop();
  });

  it("are ready", async () => {
    expect(await send(cluster.url, "GET", "/health/live")).toMatchObject({ status: 200 });
    const { status, body } = await send(cluster.url, "GET", "/health/ready");
    expect([status, body]).toMatchObject([200, { status: "ready" }]);
  });

  it("bring a tweet from its author to a follower's home timeline", async () => {
    expect((await alice.follow(bob)).body).toEqual({ data: { following: true, pending_follow: false } });
    expect(await alice.homeIds()).toEqual([]);
    const id = await bob.tweet(`hello @${alice.username} #roost`);
    await eventually(
      async () => (await alice.homeIds()).includes(id),
      "the tweet in the follower's timeline",
    );
    const { body } = await alice.request(
      "GET",
      `/2/tweets/${id}?expansions=author_id&tweet.fields=entities,author_id`,
    );
    expect(body).toMatchObject({
      data: { id, author_id: bob.id, entities: { mentions: [{ username: alice.username, id: alice.id }] } },
      includes: { users: [{ id: bob.id, username: bob.username }] },
    });
  });

  it("show one's own tweet to oneself when the POST returns", async () => {
    for (let i = 0; i < 10; i++) {
      const id = await alice.tweet(`mine ${i}`);
      expect((await alice.homeIds())[0]).toBe(id);
    }
  });

  it("page through a timeline without skipping or repeating while tweets arrive", async () => {
    const before = await alice.homeIds();
    const seen: string[] = [];
    let token: string | undefined;
    do {
      const path = `/2/users/${alice.id}/timelines/reverse_chronological?max_results=2`;
      const { body } = await alice.request("GET", token ? `${path}&pagination_token=${token}` : path);
      seen.push(...((body.data ?? []) as { id: string }[]).map(({ id }) => id));
      token = body.meta?.next_token;
      await bob.tweet("in between");
    } while (token);
    expect(seen).toEqual(before);
  });

  it("hide a deleted tweet, and everything of an author unfollowed, at the next read", async () => {
    const id = await bob.tweet("soon gone");
    await eventually(async () => (await alice.homeIds()).includes(id), "the tweet");
    expect((await bob.request("DELETE", `/2/tweets/${id}`)).body).toEqual({ data: { deleted: true } });
    expect(await alice.homeIds()).not.toContain(id);
    const { body } = await alice.request("DELETE", `/2/users/${alice.id}/following/${bob.id}`);
    expect(body).toEqual({ data: { following: false } });
    expect(await alice.homeIds()).toEqual(await roost.oracle.homeOf(alice.id));
  });

  it("take a repeated Idempotency-Key as the same request, and another body under it as an error", async () => {
    const key = { "idempotency-key": `key ${run}` };
    const tries = await Promise.all(
      Array.from({ length: 5 }, () => bob.request("POST", "/2/tweets", { text: "only once" }, key)),
    );
    expect(new Set(tries.map(({ body }) => JSON.stringify(body))).size).toBe(1);
    expect(tries[0]?.status).toBe(201);
    expect(await bob.request("POST", "/2/tweets", { text: "another" }, key)).toMatchObject({ status: 422 });
  });

  it("share the fan-out among several timeline processes", async () => {
    const other = await cluster.spawn("timeline");
    await alice.follow(bob);
    const ids = await Promise.all(Array.from({ length: 40 }, (_, i) => bob.tweet(`shared ${i}`)));
    await roost.settle();
    expect(await alice.homeIds()).toEqual(await roost.oracle.homeOf(alice.id));
    expect(await alice.homeIds()).toEqual(expect.arrayContaining(ids));
    await other.kill();
  });

  it("erase an account that is deleted", async () => {
    const cyd = await Client.signUp(cluster.url, `cyd_${run}`);
    await cyd.follow(alice);
    await alice.follow(cyd);
    const id = await cyd.tweet(`hello @${alice.username}`);
    await roost.settle();
    expect(await alice.homeIds()).toContain(id);
    const gone = await cyd.request("DELETE", "/auth/account", { password: "correct horse battery" });
    expect(gone.body).toEqual({ data: { deleted: true } });
    expect(await alice.homeIds()).not.toContain(id);
    expect((await alice.request("GET", `/2/users/${cyd.id}`)).status).toBe(404);
    expect((await cyd.request("GET", "/2/users/me")).status).toBe(401);
    await roost.settle();
    expect(await alice.homeIds()).toEqual(await roost.oracle.homeOf(alice.id));
    const left = await roost.oracle.rows(
      "SELECT src FROM edges WHERE src = $1 OR dst = $1 UNION ALL SELECT id FROM tweets WHERE author_id = $1",
      [cyd.id],
    );
    expect(left).toEqual([]);
  });

  it("answer 503, to be tried again, while a service is away, and go on when it is back", async () => {
    await tweetProcess.kill();
    const away = await bob.request("POST", "/2/tweets", { text: "too early" });
    expect([away.status, Number(away.headers.get("retry-after"))]).toEqual([503, expect.any(Number)]);
    expect(away.body).toMatchObject({ status: 503, title: "Service Unavailable" });
    await cluster.spawn("tweet");
    await cluster.ready();
    await bob.tweet("back again");
  });
});
