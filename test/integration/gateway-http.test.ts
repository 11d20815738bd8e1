import { type Dispatcher, request } from "undici";
import type { Session } from "../../services/contracts/sessions.ts";
import { gatewayPort } from "../../services/gateway/gateway.service.ts";
import { HeldTable } from "../support/held-table.ts";
import { eventually, Roost } from "../support/roost.ts";
import { serverUrl } from "../support/servers.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { expectDocumented } from "../support/x-api.ts";

const ALL = ["user", "graph", "tweet", "timeline", "gateway"] as const;
const password = "correct horse";
let count = 0;

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Record<string, unknown>;
}

interface Sent {
  method?: Dispatcher.HttpMethod;
  token?: string;
  body?: unknown;
  headers?: Record<string, string>;
}

/** A gateway of a test's own and a client of it. */
class Api {
  readonly roost: Roost;

  constructor(roost: Roost) {
    this.roost = roost;
  }

  get url(): string {
    return `http://127.0.0.1:${gatewayPort(this.roost.broker)}`;
  }

  async send(path: string, { method, token, body, headers }: Sent = {}): Promise<Answer> {
    const verb = method ?? (body === undefined ? "GET" : "POST");
    const answer = await request(this.url + path, {
      method: verb,
      headers: {
        ...(token ? { authorization: `Bearer ${token}` } : {}),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await answer.body.text();
    const parsed: Record<string, unknown> = text === "" ? {} : JSON.parse(text);
    const { statusCode: status, headers: answered } = answer;
    const type = String(answered["content-type"]);
    expectDocumented(verb, path, { status, type, body: parsed });
    return { status, headers: answered, body: parsed };
  }

  async signUp(): Promise<Session & { data: { id: string } }> {
    const username = `g${process.pid % 10_000}_${++count}`;
    const { status, body } = await this.send("/auth/signup", {
      body: { username, name: username, password },
      // Where a proxy is trusted, everybody has an address of their own.
      headers: { "x-forwarded-for": `10.1.${count >> 8}.${count & 255}` },
    });
    expect(status).toBe(201);
    return body as unknown as Session & { data: { id: string } }; // the shape is what the test goes on to check
  }
}

describe("the API", () => {
  let api: Api;
  beforeAll(async () => {
    api = new Api(await Roost.start({ services: [...ALL] }));
  });
  afterAll(() => api.roost.stop());

  it("takes somebody from sign-up to a home timeline", async () => {
    const [ann, bob] = [await api.signUp(), await api.signUp()];
    const followed = await api.send(`/2/users/${ann.data.id}/following`, {
      token: ann.access_token,
      body: { target_user_id: bob.data.id },
    });
    expect(followed.body).toEqual({ data: { following: true, pending_follow: false } });
    const posted = await api.send("/2/tweets", { token: bob.access_token, body: { text: "hello #world" } });
    expect(posted.status).toBe(201);
    expect(posted.body).toEqual({
      data: {
        id: expect.stringMatching(/^\d{19}$/),
        text: "hello #world",
        edit_history_tweet_ids: [expect.anything()],
      },
    });
    const home = `/2/users/${ann.data.id}/timelines/reverse_chronological?expansions=author_id&tweet.fields=entities`;
    const page = await api.send(home, { token: ann.access_token });
    expect(page.body).toMatchObject({
      data: [{ text: "hello #world", author_id: bob.data.id, entities: { hashtags: [{ tag: "world" }] } }],
      includes: { users: [{ id: bob.data.id }] },
      meta: { result_count: 1 },
    });
  });

  it("takes replies, quotes, retweets, likes and bookmarks, and counts them", async () => {
    const [ann, bob] = [await api.signUp(), await api.signUp()];
    const as = (who: typeof ann) => (path: string, body?: unknown, method?: string) =>
      api.send(path, { token: who.access_token, body, method });
    const [annSends, bobSends] = [as(ann), as(bob)];
    const idIn = ({ body }: Answer) => (body as { data: { id: string } }).data.id; // the contract of 201
    const id = idIn(await annSends("/2/tweets", { text: "hello" }));
    const reply = idIn(await bobSends("/2/tweets", { text: "hi", reply: { in_reply_to_tweet_id: id } }));
    const quote = idIn(await bobSends("/2/tweets", { text: "see", quote_tweet_id: id }));
    const retweeted = await bobSends(`/2/users/${bob.data.id}/retweets`, { tweet_id: id });
    expect(retweeted.body).toEqual({ data: { retweeted: true, id: expect.stringMatching(/^\d{19}$/) } });
    for (const name of ["likes", "bookmarks"])
      expect((await bobSends(`/2/users/${bob.data.id}/${name}`, { tweet_id: id })).status).toBe(200);

    const fields = "tweet.fields=public_metrics,referenced_tweets,conversation_id,in_reply_to_user_id";
    expect((await annSends(`/2/tweets/${id}?${fields}`)).body).toMatchObject({
      data: {
        conversation_id: id,
        public_metrics: {
          like_count: 1,
          retweet_count: 1,
          reply_count: 1,
          quote_count: 1,
          bookmark_count: 1,
          impression_count: 0,
        },
      },
    });
    expect((await annSends(`/2/tweets/${reply}?${fields}`)).body).toMatchObject({
      data: {
        conversation_id: id,
        in_reply_to_user_id: ann.data.id,
        referenced_tweets: [{ type: "replied_to", id }],
      },
    });
    const home = `/2/users/${bob.data.id}/timelines/reverse_chronological?exclude=retweets,replies`;
    expect((await bobSends(home)).body).toMatchObject({ data: [{ id: quote }], meta: { result_count: 1 } });
    for (const [path, wanted] of [
      [`/2/tweets/${id}/liking_users`, bob.data.id],
      [`/2/tweets/${id}/retweeted_by`, bob.data.id],
      [`/2/tweets/${id}/quote_tweets`, quote],
      [`/2/users/${bob.data.id}/liked_tweets`, id],
      [`/2/users/${bob.data.id}/bookmarks`, id],
    ])
      expect((await bobSends(path ?? "")).body).toMatchObject({ data: [{ id: wanted }] });

    for (const [name, undone] of [
      ["likes", { liked: false }],
      ["bookmarks", { bookmarked: false }],
      ["retweets", { retweeted: false }],
    ] as const)
      expect((await bobSends(`/2/users/${bob.data.id}/${name}/${id}`, undefined, "DELETE")).body).toEqual({
        data: undone,
      });
    const counts = (await annSends(`/2/tweets/${id}?tweet.fields=public_metrics`)).body;
    expect(counts).toMatchObject({ data: { public_metrics: { like_count: 0, retweet_count: 0 } } });
    const wrong = await bobSends("/2/tweets", { text: "hi", reply: { in_reply_to_tweet_id: "1" } });
    expect([wrong.status, wrong.body.errors]).toMatchObject([
      404,
      [{ parameters: { in_reply_to_tweet_id: ["1"] } }],
    ]);
  });

  it("signs in, refreshes and signs out", async () => {
    const first = await api.signUp();
    const { body: second } = await api.send("/auth/refresh", {
      body: { refresh_token: first.refresh_token },
    });
    expect(second).toMatchObject({ token_type: "bearer", expires_in: 7200, data: first.data });
    expect((await api.send("/2/users/me", { token: first.access_token })).status).toBe(401);
    const token = String(second.access_token);
    expect((await api.send("/2/users/me", { token })).body).toEqual({ data: first.data });
    expect((await api.send("/auth/logout", { method: "POST", token })).body).toEqual({
      data: { revoked: true },
    });
    const refused = await api.send("/2/users/me", { token });
    expect(refused.status).toBe(401);
    expect(refused.headers["www-authenticate"]).toBe("Bearer");
    expect(refused.headers["content-type"]).toMatch(/^application\/problem\+json/);
  });

  it("answers HEAD like GET, without the body", async () => {
    const { access_token: token } = await api.signUp();
    const answer = await api.send("/2/users/me", { method: "HEAD", token });
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({});
  });

  it("sends what keeps browsers safe, and no limits where they are off", async () => {
    const { headers } = await api.send("/health/live");
    expect(headers).toMatchObject({
      "x-content-type-options": "nosniff",
      "cache-control": "no-store",
      "referrer-policy": "no-referrer",
    });
    expect(headers).not.toHaveProperty("x-rate-limit-limit");
    expect(headers).not.toHaveProperty("access-control-allow-origin");
    expect(headers).not.toHaveProperty("etag");
  });

  it("does nothing on a preflight request", async () => {
    const { data, access_token: token } = await api.signUp();
    const { body } = await api.send("/2/tweets", { token, body: { text: "still here" } });
    const { id } = body.data as { id: string }; // of a 201
    const preflight = await api.send(`/2/tweets/${id}`, {
      method: "OPTIONS",
      token,
      headers: { "access-control-request-method": "DELETE", origin: "https://evil.example" },
    });
    expect(preflight.status).toBe(405);
    expect((await api.send(`/2/tweets/${id}`, { token })).status).toBe(200);
    expect((await api.send(`/2/users/${data.id}/tweets`, { token })).body).toMatchObject({
      meta: { result_count: 1 },
    });
  });

  it("has none of the routes that moleculer-web would open by itself", async () => {
    const { access_token: token } = await api.signUp();
    for (const path of [
      "/~node/list",
      "/user/get?ids=1",
      "/user.get",
      "/gateway/rest",
      "/list-aliases",
      "/$node/list",
    ]) {
      expect((await api.send(path, { token })).status).toBe(404);
    }
    for (const action of ["gateway.addRoute", "gateway.removeRoute", "gateway.listAliases"]) {
      await expect(api.roost.broker.call(action)).rejects.toThrow("is not found");
    }
  });

  it("chooses request ids itself", async () => {
    const chosen = "11111111-1111-1111-1111-111111111111";
    const { headers } = await api.send("/health/live", {
      headers: { "x-request-id": chosen, "x-correlation-id": chosen },
    });
    expect(headers["x-request-id"]).not.toBe(chosen);
  });

  it("serves any Host", async () => {
    const { status } = await api.send("/health/live", { headers: { host: "api.twitter.com" } });
    expect(status).toBe(200);
  });

  it("is ready, and says by which parts", async () => {
    const { status, body } = await api.send("/health/ready");
    expect(status).toBe(200);
    expect(body).toEqual({
      status: "ready",
      shards: { s0: "up", s1: "up" },
      redis: "up",
      services: { user: "up", graph: "up", tweet: "up", timeline: "up" },
    });
  });

  it("lets a request that is under way finish when it stops, and takes no new one", async () => {
    const other = new Api(await Roost.start({ services: [...ALL] }));
    const users = await HeldTable.of(other.roost.shards, "users");
    await users.hold();
    const { url } = other;
    const body = JSON.stringify({ username: "late", name: "late", password });
    const headers = { "content-type": "application/json" };
    const signUp = request(`${url}/auth/signup`, { method: "POST", body, headers });
    await eventually(async () => (await users.waiting()) > 0, "the request under way");
    const stopped = other.roost.nodes[0]?.stop();
    await users.release();
    const answer = await signUp;
    expect(answer.statusCode).toBe(201);
    await answer.body.dump();
    await stopped;
    await expect(request(`${url}/health/live`)).rejects.toThrow();
    await users.close();
    await other.roost.stop();
  });
});

describe("limits", () => {
  let api: Api;
  let proxy: TcpProxy;
  beforeAll(async () => {
    proxy = await TcpProxy.to(serverUrl("REDIS"));
    const env = { RATE_LIMIT_FACTOR: "0.1", TRUSTED_PROXIES: "1" };
    api = new Api(await Roost.start({ services: [...ALL], redisUrl: proxy.url, env }));
  });
  afterAll(async () => {
    await api.roost.stop();
    await proxy.close();
  });
  afterEach(() => proxy.open());

  const from = (ip: string) => ({ "x-forwarded-for": ip });

  it("hold for each user and class of endpoint, with headers on every reply", async () => {
    const { access_token: token } = await api.signUp();
    const tweet = () => api.send("/2/tweets", { token, body: { text: "again" } });
    for (let left = 9; left >= 0; left--) {
      const { status, headers } = await tweet();
      expect(status).toBe(201);
      expect(headers).toMatchObject({ "x-rate-limit-limit": "10", "x-rate-limit-remaining": String(left) });
      expect(Number(headers["x-rate-limit-reset"])).toBeGreaterThan(Date.now() / 1_000);
    }
    const refused = await tweet();
    expect(refused.status).toBe(429);
    expect(refused.headers["content-type"]).toMatch(/^application\/problem\+json/);
    expect(refused.headers["x-rate-limit-remaining"]).toBe("0");
    expect(Number(refused.headers["retry-after"])).toBeGreaterThan(0);
    expect((await api.send("/2/users/me", { token })).status).toBe(200);
    const { access_token: other } = await api.signUp();
    expect((await api.send("/2/tweets", { token: other, body: { text: "mine" } })).status).toBe(201);
  });

  it("hold for the user, not the session", async () => {
    const { access_token: token, data } = await api.signUp();
    for (let i = 0; i < 10; i++) await api.send("/2/tweets", { token, body: { text: "again" } });
    const { body } = await api.send("/auth/login", {
      body: { username: (data as unknown as { username: string }).username, password },
      headers: from("7.7.7.7"),
    });
    const again = await api.send("/2/tweets", { token: String(body.access_token), body: { text: "again" } });
    expect(again.status).toBe(429);
  });

  it("hold for each address where nobody is signed in, IPv6 by its /64", async () => {
    let tried = 0;
    // Each time another account: those have limits of their own.
    const attempt = (ip: string) => {
      const body = { username: `nobody${++tried}`, password: "wrong horse" };
      return api.send("/auth/login", { body, headers: from(ip) });
    };
    for (let i = 0; i < 3; i++) expect((await attempt(`2001:db8::${i + 1}`)).status).toBe(401);
    expect((await attempt("2001:db8::9")).status).toBe(429);
    expect((await attempt("2001:db8:0:1::9")).status).toBe(401);
    // What a client claims itself stands further left, and is not believed.
    expect((await attempt("9.9.9.9, 2001:db8::10")).status).toBe(429);
  });

  it("hold for each address that sends bad tokens, without a look-up for each", async () => {
    const token = `ra_000_${"A".repeat(43)}`;
    const attempt = () => api.send("/2/users/me", { token, headers: from("8.8.8.8") });
    // At once: in time, more are allowed.
    const first = await Promise.all(Array.from({ length: 90 }, attempt));
    expect(new Set(first.map(({ status }) => status))).toEqual(new Set([401]));
    const looked = jest.spyOn(api.roost.resources.db, "read");
    expect((await attempt()).status).toBe(429);
    expect(looked).not.toHaveBeenCalled();
    looked.mockRestore();
  });

  it("hold in this process while Redis is away, and requests are served", async () => {
    const { access_token: token } = await api.signUp();
    proxy.cut();
    const statuses: number[] = [];
    for (let i = 0; i < 12; i++) {
      const { status, headers } = await api.send("/2/tweets", { token, body: { text: `tweet ${i}` } });
      statuses.push(status);
      expect(headers["x-rate-limit-limit"]).toBe("10");
    }
    expect(statuses).toEqual([...new Array(10).fill(201), 429, 429]);
    expect((await api.send("/health/ready")).status).toBe(200);
    await eventually(
      async () => (await api.send("/health/ready")).body.status === "degraded",
      "the gateway notices that Redis is away",
    );
    proxy.open();
    await eventually(async () => (await api.send("/health/ready")).body.status === "ready", "Redis is back");
    expect((await api.send("/2/users/me", { token })).status).toBe(200);
  });
});
