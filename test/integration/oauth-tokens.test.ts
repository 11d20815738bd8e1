import { gatewayPort } from "../../services/gateway/gateway.service.ts";
import { Client, send } from "../support/client.ts";
import { REDIRECT } from "../support/oauth.ts";
import { type App, appsOf, basic, newName } from "../support/oauth-apps.ts";
import { Roost } from "../support/roost.ts";

const SCOPES = "tweet.read users.read tweet.write offline.access";

let roost: Roost;
let url: string;
let developer: Client;
const { register, post, codeFor, tokensFor, refresh, get } = appsOf(() => url);

beforeAll(async () => {
  roost = await Roost.start({ services: ["user", "graph", "tweet", "timeline", "gateway"], shards: 3 });
  url = `http://127.0.0.1:${gatewayPort(roost.broker)}`;
  developer = await Client.signUp(url, newName());
});
afterAll(() => roost.stop());

describe("a refresh token", () => {
  it("gives a new pair, of the same scopes or fewer", async () => {
    const app = await register("public");
    const { tokens } = await tokensFor(app);
    const narrower = await post("/2/oauth2/token", {
      grant_type: "refresh_token",
      refresh_token: tokens.refresh_token,
      client_id: app.client_id,
      scope: "users.read tweet.read",
    });
    expect(narrower.body.scope).toBe("users.read tweet.read");
    expect((await get("/2/users/me", tokens.access_token)).status).toBe(401);
    const bearer = { authorization: `Bearer ${narrower.body.access_token}` };
    expect((await send(url, "POST", "/2/tweets", { body: { text: "no" }, headers: bearer })).status).toBe(
      403,
    );
    const again = await refresh(app, narrower.body.refresh_token);
    expect(again.body.scope).toBe(SCOPES);
  });

  it("that comes again ends the session with all of its tokens", async () => {
    const app = await register("public");
    const { tokens } = await tokensFor(app);
    const second = await refresh(app, tokens.refresh_token);
    const third = await refresh(app, second.body.refresh_token);
    expect((await get("/2/users/me", third.body.access_token)).status).toBe(200);
    expect((await refresh(app, tokens.refresh_token)).body.error).toBe("invalid_grant");
    expect((await get("/2/users/me", third.body.access_token)).status).toBe(401);
    expect((await refresh(app, third.body.refresh_token)).body.error).toBe("invalid_grant");
  });

  it("is of no use to another app, nor at /auth/refresh, and survives the attempt", async () => {
    const [app, thief] = [await register("public"), await register("public")];
    const { tokens } = await tokensFor(app);
    expect((await refresh(thief, tokens.refresh_token)).body.error).toBe("invalid_grant");
    const { refresh_token } = tokens;
    expect((await send(url, "POST", "/auth/refresh", { body: { refresh_token } })).status).toBe(401);
    expect((await refresh(app, refresh_token)).status).toBe(200);
  });
});

describe("a confidential app", () => {
  it("must show its secret, by HTTP Basic or in the body", async () => {
    const app = await register("confidential");
    const { verifier, code } = await codeFor(app);
    const form = { grant_type: "authorization_code", code, redirect_uri: REDIRECT, code_verifier: verifier };
    const wrong = await post("/2/oauth2/token", form, basic({ ...app, client_secret: "wrong" }));
    expect(wrong).toMatchObject({ status: 401, body: { error: "invalid_client" } });
    expect(wrong.headers.get("www-authenticate")).toMatch(/^Basic/);
    expect((await post("/2/oauth2/token", { ...form, client_id: app.client_id })).body.error).toBe(
      "invalid_client",
    );
    const right = await post("/2/oauth2/token", form, basic(app));
    expect(right.status).toBe(200);
    const refreshing = { grant_type: "refresh_token", refresh_token: right.body.refresh_token };
    expect((await refresh(app, right.body.refresh_token)).body.error).toBe("invalid_client");
    const { client_id, client_secret = "" } = app;
    expect((await post("/2/oauth2/token", { ...refreshing, client_id, client_secret })).status).toBe(200);
  });

  it("gets a token of its own, the same each time, that reads what is public", async () => {
    const app = await register("confidential");
    const ask = (path: string) => post(path, { grant_type: "client_credentials" }, basic(app));
    const { body } = await ask("/oauth2/token");
    expect(body).toMatchObject({ token_type: "bearer", access_token: expect.stringMatching(/^ra_/) });
    expect((await ask("/2/oauth2/token")).body.access_token).toBe(body.access_token);
    const id = await developer.tweet("for everyone");
    expect((await get(`/2/tweets/${id}`, body.access_token)).body.data).toMatchObject({
      text: "for everyone",
    });
    for (const path of ["tweets", "mentions", "followers", "following"])
      expect((await get(`/2/users/${developer.id}/${path}`, body.access_token)).status).toBe(200);
    const me = await get("/2/users/me", body.access_token);
    expect(me.status).toBe(403);
    expect(me.body.type).toMatch(/\/unsupported-authentication$/);
    const posted = await send(url, "POST", "/2/tweets", {
      body: { text: "by nobody" },
      headers: { authorization: `Bearer ${body.access_token}` },
    });
    expect(posted.status).toBe(403);
  });

  it("can invalidate that token, and gets another then; the same by another secret", async () => {
    const app = await register("confidential");
    const ask = async (of: App) =>
      (await post("/2/oauth2/token", { grant_type: "client_credentials" }, basic(of))).body.access_token;
    const first = await ask(app);
    const path = `/2/users/${developer.id}`;
    expect((await get(path, first)).status).toBe(200);
    const ended = await post("/oauth2/invalidate_token", { access_token: first }, basic(app));
    expect(ended).toMatchObject({ status: 200, body: { access_token: first } });
    expect((await get(path, first)).status).toBe(401);
    const second = await ask(app);
    expect(second).not.toBe(first);
    const { body } = await app.owner.request("POST", `/auth/apps/${app.client_id}/secret`);
    const renewed = { ...app, ...(body.data as Omit<App, "owner">) }; // the contract of 200
    expect((await get(path, second)).status).toBe(401);
    expect(await ask(app)).toBeUndefined();
    expect((await get(path, await ask(renewed))).status).toBe(200);
  });
});

describe("token requests", () => {
  it("may be forms, JSON or queries", async () => {
    const app = await register("public");
    const json = await codeFor(app);
    const grant = { grant_type: "authorization_code", redirect_uri: REDIRECT, client_id: app.client_id };
    const answer = await send(url, "POST", "/2/oauth2/token", {
      body: { ...grant, code: json.code, code_verifier: json.verifier },
    });
    expect(answer.status).toBe(200);
    const query = await codeFor(app);
    const asked = new URLSearchParams({ ...grant, code: query.code, code_verifier: query.verifier });
    expect((await send(url, "POST", `/2/oauth2/token?${asked}`)).status).toBe(200);
  });

  it("may not have the secret in the query, which proxies log", async () => {
    const app = await register("confidential");
    const asked = new URLSearchParams({
      grant_type: "client_credentials",
      client_id: app.client_id,
      client_secret: app.client_secret ?? "",
    });
    const { status, body } = await send(url, "POST", `/2/oauth2/token?${asked}`);
    expect({ status, body }).toMatchObject({ status: 400, body: { error: "invalid_request" } });
    expect((await send(url, "POST", "/2/oauth2/token", { body: Object.fromEntries(asked) })).status).toBe(
      200,
    );
  });

  it.each([
    ["without a grant", { client_id: "rc_000_AAAAAAAAAAAAAAAAAAAAAA" }, /^invalid_/],
    [
      "of an unknown app",
      { grant_type: "refresh_token", client_id: "nobody", refresh_token: "x" },
      /^invalid_client$/,
    ],
    ["of no app", { grant_type: "password", username: "a", password: "b" }, /^invalid_client$/],
  ])("%s are refused in OAuth's own words", async (_, form, error) => {
    const { status, body, headers } = await post("/2/oauth2/token", form as Record<string, string>);
    expect(status).toBe(400);
    expect(body.error).toMatch(error);
    expect(headers.get("cache-control")).toBe("no-store");
    expect(headers.get("x-rate-limit-limit")).toBeNull(); // limits are off in this test
  });

  it("for a password are not granted", async () => {
    const app = await register("confidential");
    const { body } = await post(
      "/2/oauth2/token",
      { grant_type: "password", username: "a", password: "b" },
      basic(app),
    );
    expect(body.error).toBe("unauthorized_client");
  });
});

describe("revoking", () => {
  it.each(["access_token", "refresh_token"] as const)("a token (%s) ends its session", async (kind) => {
    const app = await register("public");
    const { tokens } = await tokensFor(app);
    expect((await get("/2/users/me", tokens.access_token)).status).toBe(200);
    const { body } = await post("/2/oauth2/revoke", { token: tokens[kind], client_id: app.client_id });
    expect(body).toEqual({ revoked: true });
    expect((await get("/2/users/me", tokens.access_token)).status).toBe(401);
    expect((await refresh(app, tokens.refresh_token)).body.error).toBe("invalid_grant");
  });

  it("what is no token is no error; what is another app's is", async () => {
    const [app, thief] = [await register("public"), await register("public")];
    const { tokens } = await tokensFor(app);
    const revoke = (of: App, token: string) => post("/2/oauth2/revoke", { token, client_id: of.client_id });
    expect((await revoke(app, "nonsense")).body).toEqual({ revoked: true });
    expect((await revoke(thief, tokens.access_token)).body.error).toBe("unauthorized_client");
    expect((await get("/2/users/me", tokens.access_token)).status).toBe(200);
  });
});

it("all of this leaves nothing for an audit to find", async () => {
  await roost.settle();
  expect(await roost.audit()).toEqual([]);
});
