import { bucketOfHandle } from "../../mixins/shard-db/ids.ts";
import { sql } from "../../mixins/shard-db/index.ts";
import { errorCode } from "../../services/contracts/errors.ts";
import { gatewayPort } from "../../services/gateway/gateway.service.ts";
import { Client, send } from "../support/client.ts";
import { Browser, consentPath, pkce, REDIRECT } from "../support/oauth.ts";
import { eventually, Roost } from "../support/roost.ts";
import { serverUrl } from "../support/servers.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";

const password = "correct horse battery";
let proxy: TcpProxy;
let roost: Roost;
let url: string;
let count = 0;

beforeAll(async () => {
  proxy = await TcpProxy.to(serverUrl("REDIS"));
  roost = await Roost.start({
    services: ["user", "graph", "tweet", "timeline", "gateway"],
    shards: 3,
    redisUrl: proxy.url,
  });
  url = `http://127.0.0.1:${gatewayPort(roost.broker)}`;
});
afterAll(async () => {
  await roost.stop();
  await proxy.close();
});
afterEach(async () => {
  proxy.open();
  await eventually(() => roost.store.readable, "Redis is back");
});

const newcomer = () => Client.signUp(url, `d${process.pid % 10_000}_${++count}`);
const remove = (who: Client, word = password) => who.request("DELETE", "/auth/account", { password: word });
const ids = (body: { data?: unknown }) => ((body.data ?? []) as { id: string }[]).map(({ id }) => id); // lists of objects with ids

/** Somebody with something of everything, who has friends. */
async function lives() {
  const [ann, bob, cyd] = [await newcomer(), await newcomer(), await newcomer()];
  const post = async (who: Client, path: string, body: object) => {
    const { status, body: answer } = await who.request("POST", path, body);
    expect(status).toBeLessThan(300);
    return Object(answer.data);
  };
  const follow = (who: Client, whom: Client) =>
    post(who, `/2/users/${who.id}/following`, { target_user_id: whom.id });
  for (const [who, whom] of [
    [ann, bob],
    [bob, ann],
    [cyd, ann],
    [cyd, bob],
  ] as const)
    await follow(who, whom);
  await post(ann, `/2/users/${ann.id}/muting`, { target_user_id: cyd.id });
  const hers = await ann.tweet(`hello @${bob.username} #everyone`);
  const his = await bob.tweet(`hello @${ann.username}`);
  const reply = await post(bob, "/2/tweets", { text: "hi", reply: { in_reply_to_tweet_id: hers } });
  await post(ann, "/2/tweets", { text: "see", quote_tweet_id: his });
  for (const [who, tweet] of [
    [ann, his],
    [bob, hers],
  ] as const)
    for (const name of ["likes", "bookmarks", "retweets"])
      await post(who, `/2/users/${who.id}/${name}`, { tweet_id: tweet });
  await roost.settle();
  for (const who of [ann, bob, cyd]) await who.homeIds();
  return { ann, bob, cyd, hers, his, reply: reply.id as string };
}

/** Everything that shows an account or its tweets, as `viewer` sees it. */
async function expectGone(viewer: Client, gone: Client, tweet: string): Promise<void> {
  const get = (path: string) => viewer.request("GET", path);
  for (const path of [
    `/2/users/${gone.id}`,
    `/2/users/by/username/${gone.username}`,
    `/2/users/${gone.id}/tweets`,
    `/2/users/${gone.id}/mentions`,
    `/2/users/${gone.id}/followers`,
    `/2/users/${gone.id}/following`,
    `/2/users/${gone.id}/liked_tweets`,
    `/2/tweets/${tweet}`,
    `/2/tweets/${tweet}/retweeted_by`,
    `/2/tweets/${tweet}/quote_tweets`,
  ])
    expect({ path, status: (await get(path)).status }).toEqual({ path, status: 404 });
  const home = await viewer.homeIds();
  expect(home).not.toContain(tweet);
  for (const path of [
    `/2/users/${viewer.id}/followers`,
    `/2/users/${viewer.id}/following`,
    `/2/tweets/search/recent?query=from:${gone.username}`,
    `/2/tweets/search/recent?query=everyone`,
    `/2/tweets?ids=${tweet}`,
    `/2/users?ids=${gone.id}`,
  ])
    expect(JSON.stringify((await get(path)).body.data ?? [])).not.toContain(gone.id);
  expect(ids((await get(`/2/users/${viewer.id}/liked_tweets`)).body)).not.toContain(tweet);
  expect(ids((await get(`/2/users/${viewer.id}/mentions`)).body)).not.toContain(tweet);
  const followed = await viewer.request("POST", `/2/users/${viewer.id}/following`, {
    target_user_id: gone.id,
  });
  expect(followed.status).toBe(404);
  const liked = await viewer.request("POST", `/2/users/${viewer.id}/likes`, { tweet_id: tweet });
  expect(liked.status).toBe(404);
}

/** What Postgres still holds of somebody, by table. */
async function remains({ id }: Client): Promise<Record<string, number>> {
  const rows = await roost.oracle.rows<{ name: string; n: string }>(
    `SELECT * FROM (
       SELECT 'tweets' AS name, count(*) AS n FROM tweets WHERE author_id = $1
       UNION ALL SELECT 'edges', count(*) FROM edges WHERE src = $1 OR dst = $1
       UNION ALL SELECT 'mirrors', count(*) FROM inverse_edges WHERE src = $1 OR dst = $1
       UNION ALL SELECT 'credentials', count(*) FROM credentials WHERE user_id = $1
       UNION ALL SELECT 'sessions', count(*) FROM sessions WHERE user_id = $1
       UNION ALL SELECT 'codes', count(*) FROM authorization_codes WHERE user_id = $1
       UNION ALL SELECT 'rules', count(*) FROM stream_rules WHERE owner = 'user:' || $1
       UNION ALL SELECT 'apps', count(*) FROM apps WHERE owner_id = $1
       UNION ALL SELECT 'profile', count(*) FROM users WHERE id = $1 AND (name <> '' OR profile <> '{}')
     ) held WHERE n > 0`,
    [id],
  );
  return Object.fromEntries(rows.map(({ name, n }) => [name, Number(n)]));
}

/** Runs the look that comes some minutes after an erasure. */
async function lookAgain(): Promise<void> {
  const { db } = roost.resources;
  for (const shard of db.shards)
    await db.transactionOn(shard, async (tx) => {
      await tx.query(sql`UPDATE outbox SET run_after = now() WHERE kind IN ('erase', 'app')`);
    });
  await roost.settle();
}

describe("deleting an account", () => {
  it("takes the password", async () => {
    const ann = await newcomer();
    expect((await remove(ann, "wrong horse")).status).toBe(403);
    expect((await ann.request("GET", "/2/users/me")).status).toBe(200);
  });

  it.each(["with Redis", "while Redis is away"])("hides it and all of it at once, %s", async (how) => {
    const { ann, bob, cyd, hers } = await lives();
    if (how !== "with Redis") {
      proxy.cut();
      await eventually(() => !roost.store.readable, "Redis is missed");
    }
    await roost.broker.broadcast("outbox.pause", { paused: true });
    expect((await remove(ann)).body.data).toEqual({ deleted: true });
    for (const viewer of [bob, cyd]) await expectGone(viewer, ann, hers);
    expect((await ann.request("GET", "/2/users/me")).status).toBe(401);
    const { username } = ann;
    expect((await send(url, "POST", "/auth/login", { body: { username, password } })).status).toBe(401);
    await roost.broker.broadcast("outbox.pause", { paused: false });
    proxy.open();
    await roost.settle();
    await eventually(() => roost.store.readable, "Redis is back");
    for (const viewer of [bob, cyd]) await expectGone(viewer, ann, hers);
  });

  it("erases it on every shard, and leaves the others as if it had never been", async () => {
    const { ann, bob, cyd, his, reply } = await lives();
    const { body } = await ann.request("POST", "/auth/apps", {
      name: "A",
      redirect_uris: [REDIRECT],
      type: "public",
    });
    const { client_id } = Object(body.data);
    expect(
      (await ann.request("POST", "/2/tweets/search/stream/rules", { add: [{ value: "cats" }] })).status,
    ).toBe(200);
    const path = consentPath(client_id, pkce().challenge);
    const browser = new Browser(url);
    const filled = { username: bob.username, password, decision: "allow" };
    expect((await browser.submit(path, await browser.open(path), filled)).status).toBe(302);
    await remove(ann);
    await roost.settle();
    await lookAgain();
    expect(await remains(ann)).toEqual({});
    expect((await browser.open(path)).status).toBe(400);
    for (const viewer of [bob, cyd])
      expect(await viewer.homeIds()).toEqual(await roost.oracle.homeOf(viewer.id));
    expect(await cyd.homeIds()).toEqual(expect.arrayContaining([his]));
    const counts = await bob.request("GET", "/2/users/me?user.fields=public_metrics");
    expect(counts.body.data).toMatchObject({ public_metrics: { followers_count: 1, following_count: 0 } });
    const liked = await bob.request("GET", `/2/tweets/${his}?tweet.fields=public_metrics`);
    expect(liked.body.data).toMatchObject({
      public_metrics: { like_count: 0, bookmark_count: 0, retweet_count: 0, quote_count: 0 },
    });
    expect((await cyd.request("GET", `/2/tweets/${reply}`)).status).toBe(200);
    expect(await roost.audit()).toEqual([]);
    const keys: string[] = [];
    for await (const batch of roost.store.allKeys())
      keys.push(...batch.filter((key) => key.endsWith(ann.id)));
    expect(keys.filter((key) => !key.includes(":rate:"))).toEqual([]);
  });

  it("keeps the handle from everybody else", async () => {
    const ann = await newcomer();
    await remove(ann);
    await roost.settle();
    await lookAgain();
    const taken = { username: ann.username.toUpperCase(), name: "Another", password };
    expect((await send(url, "POST", "/auth/signup", { body: taken })).status).toBe(409);
  });

  it("erases what arrives late: a tweet, a follow, an edge whose mirror was still missing", async () => {
    const [ann, bob] = [await newcomer(), await newcomer()];
    await remove(ann);
    await roost.settle();
    const { db } = roost.resources;
    // As of requests that had found the account before it was closed.
    await db.write(
      ann,
      sql`INSERT INTO tweets (id, author_id, text) VALUES (next_id(${bucketOfHandle(ann.username)}), ${ann.id}, 'late')
          RETURNING count_delta(author_id, 'tweets', 1)`,
    );
    await db.write(
      bob,
      sql`INSERT INTO edges (src, kind, dst, id)
          VALUES (${bob.id}, 'follow', ${ann.id}, next_id(${bucketOfHandle(bob.username)}))
          RETURNING count_delta(src, 'following', 1),
            enqueue(${bucketOfHandle(bob.username)}, 'edge',
                    ${JSON.stringify({ src: bob.id, kind: "follow", dst: ann.id })}::jsonb)`,
    );
    await eventually(async () => Object.keys(await remains(ann)).length === 0, "all of it erased");
    await roost.settle();
    expect(await roost.audit()).toEqual([]);
  });

  it("lets nobody write in its name any more", async () => {
    const ann = await newcomer();
    const her = { id: ann.id, username: ann.username };
    const id = await (await newcomer()).tweet("something");
    await remove(ann);
    const codes = [
      roost.call("tweet.create", { text: "late" }, her),
      roost.call("tweet.retweet", { tweet_id: id }, her),
    ].map((call) => call.then(() => "done", errorCode));
    expect(await Promise.all(codes)).toEqual(["UNAUTHORIZED", "CONFLICT"]);
    await roost.call("graph.like", { tweet_id: id }, her);
    expect(await remains(ann)).toEqual({});
  });

  it("goes on from page to page where there is more than one", async () => {
    const [ann, ...others] = await roost.people(1 + 230);
    if (!ann) throw new Error("nobody");
    for (const other of others) await roost.call("graph.follow", { target_user_id: ann.id }, other);
    await roost.resources.db.write(
      ann,
      sql`INSERT INTO tweets (id, author_id, text)
          SELECT next_id(${bucketOfHandle(ann.username)}), ${ann.id}, 'many' FROM generate_series(1, 450)
          RETURNING count_delta(author_id, 'tweets', 1)`,
    );
    await roost.resources.db.write(
      ann,
      sql`UPDATE users SET closed_at = now() WHERE id = ${ann.id}
          RETURNING enqueue(bucket_of(id), 'erase', jsonb_build_object('id', id::text))`,
    );
    await roost.settle();
    await lookAgain();
    const gone = { ...ann } as Client; // only its id is looked at
    expect(await remains(gone)).toEqual({ profile: 1 });
    expect(await roost.audit()).toEqual([]);
  });
});
