import { gatewayPort } from "../../services/gateway/gateway.service.ts";
import { type Answer, Client, send } from "../support/client.ts";
import { Browser, type Page, pkce } from "../support/oauth.ts";
import { Roost } from "../support/roost.ts";
import { StreamReader } from "../support/streams.ts";
import { Contract, expectDocumented, ourDocument } from "../support/x-api.ts";

const UNKNOWN = "1000000000000000001";
const contract = new Contract(ourDocument);
/** The statuses that each operation has answered with. Every answer was held against the documents by `send`. */
const seen = new Map<string, Set<number>>();

let roost: Roost;
let url: string;
let ann: Client;
let bob: Client;
let cyd: Client;

function noteSeen(method: string, path: string, status: number): void {
  const operation = `${method} ${contract.template(path)}`;
  seen.set(operation, (seen.get(operation) ?? new Set()).add(status));
}

async function ask(who: Client | undefined, method: string, path: string, body?: unknown): Promise<Answer> {
  const answer = await (who ? who.request(method, path, body) : send(url, method, path, { body }));
  noteSeen(method, path, answer.status);
  return answer;
}

/** Asks for what must succeed. */
async function good(who: Client | undefined, method: string, path: string, body?: unknown) {
  const answer = await ask(who, method, path, body);
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${JSON.stringify(answer.body)}`);
  return Object(answer.body);
}

/** Asks for what must fail with this status; the parameters that the answer names. */
async function bad(who: Client | undefined, method: string, path: string, status: number, body?: unknown) {
  const answer = await ask(who, method, path, body);
  if (answer.status !== status) throw new Error(`${method} ${path}: ${JSON.stringify(answer.body)}`);
  return answer.body.errors?.flatMap(({ parameters }) => Object.keys(parameters ?? {})) ?? [];
}

const tweetBy = async (who: Client, body: object): Promise<string> =>
  (await good(who, "POST", "/2/tweets", body)).data.id;

beforeAll(async () => {
  roost = await Roost.start({ services: ["user", "graph", "tweet", "timeline", "gateway"] });
  url = `http://127.0.0.1:${gatewayPort(roost.broker)}`;
  [ann, bob, cyd] = await Promise.all([
    Client.signUp(url, "ann"),
    Client.signUp(url, "bob"),
    Client.signUp(url, "cyd"),
  ]);
});
afterAll(() => roost.stop());

const ALL_TWEET =
  "tweet.fields=author_id,conversation_id,created_at,display_text_range,edit_controls,entities,in_reply_to_user_id," +
  "lang,possibly_sensitive,public_metrics,referenced_tweets,reply_settings,source,attachments,geo,withheld";
const ALL_USER =
  "user.fields=created_at,description,entities,location,most_recent_tweet_id,pinned_tweet_id,profile_image_url," +
  "protected,public_metrics,url,verified,verified_type,withheld";
const TWEETS =
  `${ALL_TWEET}&${ALL_USER}&media.fields=url&poll.fields=id&place.fields=name&expansions=author_id,` +
  "edit_history_tweet_ids,entities.mentions.username,in_reply_to_user_id,referenced_tweets.id,referenced_tweets.id.author_id";
const USERS = `${ALL_TWEET}&${ALL_USER}&expansions=most_recent_tweet_id,pinned_tweet_id`;

describe("sessions", () => {
  it("are opened, renewed and ended", async () => {
    const dan = { username: "dan", password: "correct horse" };
    const session = await good(undefined, "POST", "/auth/signup", { ...dan, name: "Dan" });
    await bad(undefined, "POST", "/auth/signup", 409, { ...dan, name: "Dan" });
    await good(undefined, "POST", "/auth/login", dan);
    await bad(undefined, "POST", "/auth/login", 401, { ...dan, password: "wrong horse" });
    const { refresh_token } = session;
    const renewed = await good(undefined, "POST", "/auth/refresh", { refresh_token });
    await bad(undefined, "POST", "/auth/refresh", 401, { refresh_token: "ro_000_nothing" });
    const client = new Client(url, { ...dan, id: session.data.id, token: renewed.access_token });
    await good(client, "POST", "/auth/logout");
    await bad(client, "POST", "/auth/logout", 401);
    const last = await good(undefined, "POST", "/auth/login", dan);
    const leaving = new Client(url, { ...dan, id: session.data.id, token: last.access_token });
    expect(await good(leaving, "GET", "/auth/export")).toMatchObject({ account: { username: "dan" } });
    await bad(undefined, "GET", "/auth/export", 401);
    await bad(leaving, "DELETE", "/auth/account", 403, { password: "wrong horse" });
    await good(leaving, "DELETE", "/auth/account", { password: dan.password });
  });
});

describe("apps and OAuth", () => {
  const REDIRECT = "https://client.example/cb";
  const wish = { name: "An app", redirect_uris: [REDIRECT], type: "confidential" };

  it("apps are registered, listed, given another secret and deleted", async () => {
    const { data: app } = await good(ann, "POST", "/auth/apps", wish);
    expect(await bad(ann, "POST", "/auth/apps", 400, { ...wish, redirect_uris: ["x"] })).toEqual([
      "redirect_uris",
    ]);
    expect((await good(ann, "GET", "/auth/apps")).data).toEqual([
      { ...wish, client_id: app.client_id, created_at: app.created_at },
    ]);
    await bad(undefined, "GET", "/auth/apps", 401);
    const secret = `/auth/apps/${app.client_id}/secret`;
    expect((await good(ann, "POST", secret)).data.client_secret).not.toBe(app.client_secret);
    await bad(bob, "POST", secret, 404);
    await bad(bob, "DELETE", `/auth/apps/${app.client_id}`, 404);
    await good(ann, "DELETE", `/auth/apps/${app.client_id}`);
  });

  it("sessions are listed and ended, and a password changed", async () => {
    const [current] = (await good(cyd, "GET", "/auth/sessions")).data;
    expect(current).toMatchObject({ current: true, user_agent: "node" });
    await bad(undefined, "GET", "/auth/sessions", 401);
    const word = { current_password: "correct horse battery", new_password: "another horse" };
    await good(cyd, "PUT", "/auth/password", word);
    await bad(cyd, "PUT", "/auth/password", 403, word);
    await good(cyd, "PUT", "/auth/password", {
      current_password: "another horse",
      new_password: "correct horse battery",
    });
    const { access_token } = await good(undefined, "POST", "/auth/login", {
      username: "cyd",
      password: "correct horse battery",
    });
    const other = new Client(url, { id: cyd.id, username: "cyd", token: access_token });
    const [{ id }] = (await good(other, "GET", "/auth/sessions")).data;
    await good(cyd, "DELETE", `/auth/sessions/${id}`);
    await bad(cyd, "DELETE", `/auth/sessions/${id}`, 404);
    await bad(other, "GET", "/2/users/me", 401);
  });

  it.each(["2", "i"])("people allow apps something, at /%s/oauth2/authorize", async (at) => {
    const { data: app } = await good(ann, "POST", "/auth/apps", wish);
    const { challenge } = pkce();
    const query = {
      client_id: app.client_id,
      redirect_uri: REDIRECT,
      response_type: "code",
      scope: "users.read",
      code_challenge: challenge,
      code_challenge_method: "S256",
    };
    const path = `/${at}/oauth2/authorize?${new URLSearchParams(query)}`;
    const browser = new Browser(url);
    const note = (method: string, { status }: Page) => {
      const operation = `${method} ${contract.template(path)}`;
      seen.set(operation, (seen.get(operation) ?? new Set()).add(status));
      return status;
    };
    const page = await browser.open(path);
    expect(note("GET", page)).toBe(200);
    expect(note("GET", await browser.open(`/${at}/oauth2/authorize`))).toBe(400);
    expect(note("POST", await browser.submit(path, page, { decision: "switch" }))).toBe(200);
    const filled = { decision: "allow", username: "bob", password: "correct horse battery" };
    expect(note("POST", await browser.submit(path, page, filled))).toBe(302);
    expect(note("POST", await new Browser(url).submit(path, page, filled))).toBe(403);
  });

  it.each(["/2/oauth2/", "/oauth2/"])("apps get and end tokens, below %s", async (at) => {
    const { data: app } = await good(ann, "POST", "/auth/apps", wish);
    const { client_id, client_secret } = app;
    const self = { client_id, client_secret };
    const { access_token } = await good(undefined, "POST", `${at}token`, {
      ...self,
      grant_type: "client_credentials",
    });
    await bad(undefined, "POST", `${at}token`, 400, { client_id, grant_type: "client_credentials" });
    await good(undefined, "POST", "/2/oauth2/revoke", { ...self, token: access_token });
    await bad(undefined, "POST", "/2/oauth2/revoke", 400, {
      ...self,
      client_secret: "wrong",
      token: access_token,
    });
    await bad(undefined, "POST", `${at}invalidate_token`, 400, { ...self, access_token });
    const again = await good(undefined, "POST", `${at}token`, { ...self, grant_type: "client_credentials" });
    await good(undefined, "POST", `${at}invalidate_token`, { ...self, access_token: again.access_token });
  });
});

describe("users", () => {
  it("are looked up by id and by name, with what is missing", async () => {
    for (const [list, one, missing] of [
      [`/2/users?ids=${ann.id},${bob.id}`, `/2/users/${bob.id}`, UNKNOWN],
      ["/2/users/by?usernames=ANN,bob", "/2/users/by/username/BOB", "nobody"],
    ]) {
      expect((await good(ann, "GET", `${one}?${USERS}`)).data.username).toBe("bob");
      expect((await good(ann, "GET", `${list}&${USERS}`)).data).toHaveLength(2);
      const partial = await good(ann, "GET", `${list},${missing}`);
      expect(partial.data).toHaveLength(2);
      expect(partial.errors).toEqual([expect.objectContaining({ value: missing, resource_type: "user" })]);
      const none = `${list?.split("=")[0]}=${missing}`;
      expect(await good(ann, "GET", none)).toEqual({ errors: [expect.objectContaining({ value: missing })] });
      await bad(ann, "GET", `${one}`.replace(/[^/]+$/, missing ?? ""), 404);
      expect(await bad(ann, "GET", `${list}&user.fields=shoe_size`, 400)).toEqual(["user.fields"]);
      await bad(undefined, "GET", `${one}`, 401);
    }
    await bad(ann, "GET", "/2/users?ids=x", 400);
  });

  it("show and change themselves, and pin a tweet of their own", async () => {
    const pinned = await tweetBy(ann, { text: "pin me" });
    const latest = await tweetBy(ann, { text: "my latest" });
    const change = { description: "says #hello to @bob", url: "https://example.org/ann", location: "Örebro" };
    await good(ann, "PUT", "/2/users/me", { ...change, pinned_tweet_id: pinned });
    const me = await good(bob, "GET", `/2/users/${ann.id}?${USERS}`);
    expect(me.data).toMatchObject({
      ...change,
      pinned_tweet_id: pinned,
      most_recent_tweet_id: latest,
      protected: false,
      verified: false,
      verified_type: "none",
      entities: {
        description: { hashtags: [{ tag: "hello", start: 5, end: 11 }], mentions: [{ username: "bob" }] },
        url: { urls: [{ url: "https://example.org/ann", start: 0 }] },
      },
    });
    expect(me.includes.tweets.map(({ id }: { id: string }) => id).sort()).toEqual([pinned, latest]);
    await good(ann, "GET", `/2/users/me?${USERS}`);
    expect((await good(ann, "PUT", "/2/users/me", { pinned_tweet_id: null })).data).not.toHaveProperty(
      "pinned_tweet_id",
    );
    const theirs = await tweetBy(bob, { text: "not yours" });
    expect(await bad(ann, "PUT", "/2/users/me", 403, { pinned_tweet_id: theirs })).toEqual([
      "pinned_tweet_id",
    ]);
    expect(await bad(ann, "PUT", "/2/users/me", 404, { pinned_tweet_id: UNKNOWN })).toEqual([
      "pinned_tweet_id",
    ]);
    await bad(undefined, "GET", "/2/users/me", 401);
  });

  it("may be called what every object has", async () => {
    for (const name of ["__proto__", "constructor", "toString"]) {
      await bad(ann, "GET", `/2/users/by/username/${name}`, 404);
      const nobody = await tweetBy(ann, { text: `@${name}` });
      const { errors } = await good(ann, "GET", `/2/tweets/${nobody}?expansions=entities.mentions.username`);
      expect(errors).toEqual([expect.objectContaining({ value: name })]);
      expect(await good(ann, "GET", `/2/tweets/search/recent?query=from:${name}`)).toMatchObject({
        meta: { result_count: 0 },
      });

      const named = await Client.signUp(url, name);
      expect((await good(ann, "GET", `/2/users/by?usernames=${name},bob`)).data).toHaveLength(2);
      const theirs = await tweetBy(named, { text: `I, @${name}` });
      expect(
        await good(ann, "GET", `/2/tweets/${theirs}?expansions=entities.mentions.username`),
      ).toMatchObject({ includes: { users: [{ id: named.id }] } });
      expect(await good(ann, "GET", `/2/tweets/search/recent?query=from:${name}`)).toMatchObject({
        data: [{ id: theirs }],
      });
    }
  });

  it("name a pinned tweet that was deleted among the errors", async () => {
    const pinned = await tweetBy(cyd, { text: "soon gone" });
    await good(cyd, "PUT", "/2/users/me", { pinned_tweet_id: pinned });
    await good(cyd, "DELETE", `/2/tweets/${pinned}`);
    expect(await good(ann, "GET", `/2/users/${cyd.id}?expansions=pinned_tweet_id`)).toMatchObject({
      data: { pinned_tweet_id: pinned },
      errors: [{ resource_type: "tweet", parameter: "pinned_tweet_id", value: pinned }],
    });
  });

  it.each(["following", "blocking", "muting"])("%s: make, list, undo", async (name) => {
    const path = `/2/users/${ann.id}/${name}`;
    await good(ann, "POST", path, { target_user_id: cyd.id });
    expect((await good(ann, "GET", `${path}?${USERS}&max_results=10`)).data).toHaveLength(1);
    if (name === "following") {
      const followers = await good(bob, "GET", `/2/users/${cyd.id}/followers?${USERS}`);
      expect(followers.meta.result_count).toBe(1);
      await bad(bob, "GET", `/2/users/${UNKNOWN}/followers`, 404);
    }
    await good(ann, "DELETE", `${path}/${cyd.id}`);
    expect(await good(ann, "GET", path)).toEqual({ meta: { result_count: 0 } });
    await bad(ann, "POST", path, 404, { target_user_id: UNKNOWN });
    await bad(ann, "POST", path, 400, { target_user_id: 5 });
    await bad(bob, "POST", path, 403, { target_user_id: cyd.id });
    await bad(bob, "DELETE", `${path}/${cyd.id}`, 403);
    await bad(ann, "GET", `${path}?pagination_token=%20`, 400);
  });
});

describe("tweets", () => {
  it("are written, shown and deleted", async () => {
    const id = await tweetBy(ann, { text: "hello @bob #world $CASH https://example.org" });
    const { data } = await good(bob, "GET", `/2/tweets/${id}?${TWEETS}`);
    expect(data).toMatchObject({
      author_id: ann.id,
      reply_settings: "everyone",
      possibly_sensitive: false,
      display_text_range: [0, 43],
      edit_controls: { is_edit_eligible: false, edits_remaining: 0, editable_until: data.created_at },
    });
    expect(await good(bob, "GET", `/2/tweets?ids=${id},${UNKNOWN}`)).toMatchObject({
      data: [{ id }],
      errors: [{ resource_type: "tweet", parameter: "ids", value: UNKNOWN }],
    });
    await bad(bob, "DELETE", `/2/tweets/${id}`, 403);
    await good(ann, "DELETE", `/2/tweets/${id}`);
    await bad(ann, "DELETE", `/2/tweets/${id}`, 404);
    await bad(ann, "GET", `/2/tweets/${id}`, 404);
    await bad(ann, "GET", "/2/tweets", 400);
    expect(await bad(ann, "POST", "/2/tweets", 400, { text: "" })).toEqual(["text"]);
  });

  it("bring along what they name, each once, and tell what is missing", async () => {
    const first = await tweetBy(bob, { text: "first" });
    const gone = await tweetBy(bob, { text: "gone" });
    const reply = await tweetBy(ann, { text: "@cyd @nosuchuser", reply: { in_reply_to_tweet_id: first } });
    const quote = await tweetBy(ann, { text: "see", quote_tweet_id: first });
    const orphan = await tweetBy(ann, { text: "lost", quote_tweet_id: gone });
    await good(bob, "DELETE", `/2/tweets/${gone}`);
    const all = await good(cyd, "GET", `/2/tweets?ids=${reply},${quote},${orphan}&${TWEETS}`);
    const idsOf = (list: { id: string }[]) => list.map(({ id }) => id).sort();
    expect(idsOf(all.includes.users)).toEqual([ann.id, bob.id, cyd.id].sort());
    expect(idsOf(all.includes.tweets)).toEqual([first, reply, quote, orphan].sort());
    expect(all.errors).toEqual([
      expect.objectContaining({ parameter: "entities.mentions.username", value: "nosuchuser" }),
      expect.objectContaining({ parameter: "referenced_tweets.id", value: gone, resource_type: "tweet" }),
    ]);
    const referring = await good(cyd, "GET", `/2/tweets/${reply}?expansions=in_reply_to_user_id`);
    expect(referring).toMatchObject({
      data: { in_reply_to_user_id: bob.id },
      includes: { users: [{ id: bob.id }] },
    });
  });

  it("withhold what stands behind a block", async () => {
    const theirs = await tweetBy(cyd, { text: "mine" });
    const quote = await tweetBy(ann, { text: "look", quote_tweet_id: theirs });
    await good(cyd, "POST", `/2/users/${cyd.id}/blocking`, { target_user_id: bob.id });
    for (const path of [`/2/tweets/${quote}?`, `/2/users/${ann.id}/tweets?max_results=5&`]) {
      const seenByBob = await good(bob, "GET", `${path}expansions=referenced_tweets.id`);
      const ids = (seenByBob.includes?.tweets ?? []).map(({ id }: { id: string }) => id);
      expect(ids).not.toContain(theirs);
      expect(seenByBob.errors).toContainEqual(
        expect.objectContaining({
          type: "https://api.twitter.com/2/problems/not-authorized-for-resource",
          resource_id: theirs,
        }),
      );
    }
    await good(cyd, "DELETE", `/2/users/${cyd.id}/blocking/${bob.id}`);
  });

  it("take what X takes, and refuse by name what there is not here", async () => {
    const parent = await tweetBy(bob, { text: "parent" });
    const reply = {
      in_reply_to_tweet_id: parent,
      auto_populate_reply_metadata: true,
      exclude_reply_user_ids: [cyd.id],
    };
    await tweetBy(ann, {
      text: "all that is harmless",
      reply,
      nullcast: false,
      for_super_followers_only: false,
    });
    for (const [name, value] of Object.entries({
      media: { media_ids: ["1"] },
      poll: { options: ["a", "b"], duration_minutes: 5 },
      geo: { place_id: "x" },
      card_uri: "card://1",
      community_id: "1",
      direct_message_deep_link: "https://example.org",
      edit_options: { previous_post_id: parent },
      for_super_followers_only: true,
      nullcast: true,
    })) {
      const answer = await ask(ann, "POST", "/2/tweets", { text: "no", [name]: value });
      expect([name, answer.status]).toEqual([name, 400]);
      expect(answer.body.errors).toEqual([
        { message: expect.stringMatching(/^is not supported: /), parameters: { [name]: expect.anything() } },
      ]);
    }
    const wrong = { in_reply_to_tweet_id: parent, exclude_reply_user_ids: ["x"] };
    expect(await bad(ann, "POST", "/2/tweets", 400, { text: "no", reply: wrong })).toEqual([
      "reply.exclude_reply_user_ids",
    ]);
  });

  it("are replied to by whom their author lets", async () => {
    await good(ann, "POST", `/2/users/${ann.id}/following`, { target_user_id: bob.id });
    const replyTo = (id: string) => ({ text: "me too", reply: { in_reply_to_tweet_id: id } });
    const onlyFollowed = await tweetBy(ann, { text: "friends", reply_settings: "following" });
    const onlyNamed = await tweetBy(ann, { text: "just @cyd", reply_settings: "mentionedUsers" });
    const { data } = await good(bob, "GET", `/2/tweets/${onlyFollowed}?tweet.fields=reply_settings`);
    expect(data.reply_settings).toBe("following");
    const theirReply = await tweetBy(bob, replyTo(onlyFollowed));
    await tweetBy(cyd, replyTo(onlyNamed));
    await tweetBy(ann, replyTo(onlyNamed));
    // A conversation is its first author's: a reply in it is no way around.
    for (const id of [onlyFollowed, theirReply])
      expect(await bad(cyd, "POST", "/2/tweets", 403, replyTo(id))).toEqual(["in_reply_to_tweet_id"]);
    await bad(bob, "POST", "/2/tweets", 403, replyTo(onlyNamed));
    expect(await bad(ann, "POST", "/2/tweets", 400, { text: "x", reply_settings: "nobody" })).toEqual([
      "reply_settings",
    ]);
    await good(ann, "DELETE", `/2/users/${ann.id}/following/${bob.id}`);
  });
});

describe("engagement", () => {
  it.each([
    ["likes", "tweet_id"],
    ["bookmarks", "tweet_id"],
    ["retweets", "source_tweet_id"],
  ])("%s: make and undo", async (name) => {
    const id = await tweetBy(bob, { text: `for ${name}` });
    const path = `/2/users/${ann.id}/${name}`;
    await good(ann, "POST", path, { tweet_id: id });
    await bad(ann, "POST", path, 404, { tweet_id: UNKNOWN });
    await bad(ann, "POST", path, 400, {});
    await good(ann, "DELETE", `${path}/${id}`);
    await bad(bob, "DELETE", `${path}/${id}`, 403);
  });

  it("is listed, a page at a time, both ways", async () => {
    const id = await tweetBy(bob, { text: "famous" });
    for (const who of [ann, cyd]) {
      for (const name of ["likes", "bookmarks", "retweets"])
        await good(who, "POST", `/2/users/${who.id}/${name}`, { tweet_id: id });
      await tweetBy(who, { text: "look", quote_tweet_id: id });
    }
    for (const [list, view] of [
      [`/2/tweets/${id}/liking_users`, USERS],
      [`/2/tweets/${id}/retweeted_by`, USERS],
      [`/2/tweets/${id}/quote_tweets`, TWEETS],
      [`/2/tweets/${id}/retweets`, TWEETS],
    ]) {
      const { meta } = await good(bob, "GET", `${list}?${view}`);
      expect([list, meta.result_count]).toEqual([list, 2]);
      await bad(bob, "GET", `${list}?max_results=0`, 400);
      await bad(bob, "GET", `${list?.replace(id, UNKNOWN)}`, 404);
    }
    const first = await good(bob, "GET", `/2/tweets/${id}/retweets?max_results=1`);
    expect(first.meta).toMatchObject({ result_count: 1, next_token: expect.any(String) });
    const second = await good(
      bob,
      "GET",
      `/2/tweets/${id}/retweets?max_results=1&pagination_token=${first.meta.next_token}`,
    );
    expect(second.meta.previous_token).toEqual(expect.any(String));
    expect(second.data[0].id).not.toBe(first.data[0].id);
    const none = await good(bob, "GET", `/2/tweets/${id}/quote_tweets?exclude=retweets,replies`);
    expect(none.meta.result_count).toBe(2);
    expect((await good(ann, "GET", `/2/users/${ann.id}/bookmarks?${TWEETS}`)).data).toHaveLength(1);
    await bad(bob, "GET", `/2/users/${ann.id}/bookmarks`, 403);
    expect((await good(bob, "GET", `/2/users/${ann.id}/liked_tweets?${TWEETS}`)).data).toHaveLength(1);
    await bad(bob, "GET", `/2/users/${UNKNOWN}/liked_tweets`, 404);
  });
});

describe("timelines", () => {
  it.each(["timelines/reverse_chronological", "tweets", "mentions"])("%s", async (name) => {
    await tweetBy(bob, { text: "note to @bob" });
    const path = `/2/users/${bob.id}/${name}`;
    const whole = await good(bob, "GET", `${path}?${TWEETS}&max_results=100`);
    expect(whole.meta).toMatchObject({
      result_count: whole.data.length,
      newest_id: whole.data[0].id,
      oldest_id: whole.data.at(-1).id,
    });
    const { newest_id } = whole.meta;
    expect(await good(bob, "GET", `${path}?since_id=${newest_id}`)).toEqual({ meta: { result_count: 0 } });
    await good(bob, "GET", `${path}?start_time=2020-01-01T00:00:00Z&end_time=2021-01-01T00:00:00Z`);
    expect(await bad(bob, "GET", `${path}?start_time=yesterday`, 400)).toEqual(["start_time"]);
    await bad(bob, "GET", `${path}?max_results=101`, 400);
    await bad(undefined, "GET", path, 401);
  });
});

it("what was asked for in posts is answered in posts", async () => {
  const first = await tweetBy(ann, { text: "an early one" });
  const quote = await tweetBy(bob, { text: "quoted", quote_tweet_id: first });
  const path = `/2/tweets/${quote}?post.fields=public_metrics&expansions=referenced_posts,edit_history_post_ids`;
  const { data, includes } = await good(cyd, "GET", path);
  expect(data).toMatchObject({
    edit_history_post_ids: [quote],
    referenced_posts: [{ type: "quoted", id: first }],
    public_metrics: { repost_count: 0 },
  });
  expect(includes.posts).toHaveLength(2);
  expect(await bad(cyd, "GET", `${path}&tweet.fields=text`, 400)).toContain("tweet.fields");
  expect(await bad(cyd, "GET", `/2/tweets/${quote}?post.fields=shoe_size`, 400)).toEqual(["post.fields"]);
  await good(bob, "PUT", "/2/users/me", { pinned_tweet_id: quote });
  const user = await good(
    cyd,
    "GET",
    `/2/users/${bob.id}?expansions=pinned_post_id&user.fields=public_metrics`,
  );
  expect(user).toMatchObject({
    data: { pinned_post_id: quote, public_metrics: { post_count: expect.any(Number) } },
    includes: { posts: [{ id: quote, edit_history_post_ids: [quote] }] },
  });
  for (const answer of [data, includes, user])
    expect(JSON.stringify(answer)).not.toMatch(/"[a-z_]*tweet[a-z_]*":/);
});

it("search finds and counts", async () => {
  const id = await tweetBy(ann, { text: "something about cormorants" });
  const found = await good(bob, "GET", `/2/tweets/search/recent?query=cormorants&${TWEETS}`);
  expect(found).toMatchObject({ data: [{ id, lang: expect.any(String) }], meta: { result_count: 1 } });
  const counts = await good(bob, "GET", "/2/tweets/counts/recent?query=cormorants&granularity=day");
  expect(counts.meta).toEqual({ total_tweet_count: 1 });
  for (const path of ["/2/tweets/search/recent", "/2/tweets/counts/recent"])
    expect(await bad(bob, "GET", `${path}?query=((`, 400)).toEqual(["query"]);
});

describe("streams", () => {
  /** Every delivery is held against the documents. */
  async function streams(who: Client, path: string, whatItBrings: () => Promise<string>): Promise<void> {
    const stream = await StreamReader.open(url + path, who.token);
    await stream.has(await whatItBrings());
    stream.close();
    const type = stream.headers["content-type"];
    for (const { body } of stream.delivered) expectDocumented("GET", path, { status: 200, type, body });
    noteSeen("GET", path, 200);
  }

  it("have rules, and bring what matches them", async () => {
    const path = "/2/tweets/search/stream/rules";
    const added = await good(ann, "POST", path, {
      add: [{ value: "cormorants has:mentions", tag: "birds" }],
    });
    expect((await good(ann, "GET", path)).data).toMatchObject([{ id: added.data[0].id, tag: "birds" }]);
    await streams(ann, `/2/tweets/search/stream?${TWEETS}`, () => tweetBy(bob, { text: "@ann cormorants!" }));
    await good(ann, "POST", path, { delete: { ids: [added.data[0].id] } });
    await bad(ann, "POST", path, 400, {});
    await bad(ann, "GET", `${path}?ids=x`, 400);
    await bad(ann, "GET", "/2/tweets/search/stream?backfill_minutes=-1", 400);
  });

  it("bring a home timeline", async () => {
    const path = `/2/users/${bob.id}/timelines/reverse_chronological/stream`;
    await streams(bob, `${path}?${TWEETS}`, () => tweetBy(bob, { text: "to myself" }));
    await bad(ann, "GET", path, 403);
  });
});

it("has asked every endpoint for what succeeds and for what fails", () => {
  const operations = Object.entries(ourDocument.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const statuses = (operation: string) => [...(seen.get(operation) ?? [])];
  expect(operations.filter((operation) => !statuses(operation).some((status) => status < 300))).toEqual([]);
  expect(operations.filter((operation) => !statuses(operation).some((status) => status >= 400))).toEqual([]);
});
