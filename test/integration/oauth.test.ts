import { hash } from "node:crypto";
import { limits } from "../../config/limits.ts";
import { bucketOf } from "../../mixins/shard-db/ids.ts";
import { sql } from "../../mixins/shard-db/index.ts";
import { gatewayPort } from "../../services/gateway/gateway.service.ts";
import { AppRepo } from "../../services/user/oauth/app.repo.ts";
import { CodeRepo } from "../../services/user/oauth/code.repo.ts";
import { OAuth } from "../../services/user/oauth/index.ts";
import { OAuthModel } from "../../services/user/oauth/model.ts";
import { Sessions } from "../../services/user/sessions/index.ts";
import { Client, send } from "../support/client.ts";
import { HeldTable } from "../support/held-table.ts";
import { allow, Browser, consentPath, type Page, pkce, REDIRECT } from "../support/oauth.ts";
import { eventually, Roost } from "../support/roost.ts";

const PASSWORD = "correct horse battery";
const SCOPES = "tweet.read users.read tweet.write offline.access";
let roost: Roost;
let url: string;
let developer: Client;
let count = 0;
const newName = () => `o${process.pid % 10_000}_${++count}`;

beforeAll(async () => {
  roost = await Roost.start({ services: ["user", "graph", "tweet", "timeline", "gateway"], shards: 3 });
  url = `http://127.0.0.1:${gatewayPort(roost.broker)}`;
  developer = await Client.signUp(url, newName());
});
afterAll(() => roost.stop());

interface App {
  client_id: string;
  client_secret?: string;
  owner: Client;
}

interface Tokens {
  token_type: string;
  access_token: string;
  refresh_token: string;
  expires_in: number;
  scope: string;
  error?: string;
}

async function register(type: "public" | "confidential", redirects = [REDIRECT]): Promise<App> {
  const owner = await Client.signUp(url, newName());
  const wish = { name: `<b>App</b> ${++count}`, redirect_uris: redirects, type };
  const { status, body } = await owner.request("POST", "/auth/apps", wish);
  expect(status).toBe(201);
  return { ...(body.data as Omit<App, "owner">), owner }; // the contract of 201
}

const basic = ({ client_id, client_secret = "" }: App) => ({
  authorization: `Basic ${Buffer.from(`${client_id}:${client_secret}`).toString("base64")}`,
});

/** A form, as most clients send it. */
async function post(path: string, form: Record<string, string>, headers: Record<string, string> = {}) {
  const answer = await fetch(url + path, { method: "POST", body: new URLSearchParams(form), headers });
  return { status: answer.status, headers: answer.headers, body: (await answer.json()) as Tokens };
}

/** A code for an app, which somebody new has allowed. */
async function codeFor(app: App, more: Record<string, string> = {}) {
  const person = await Client.signUp(url, newName());
  const { verifier, challenge } = pkce();
  const to = await allow(new Browser(url), consentPath(app.client_id, challenge, more), person);
  expect(to.searchParams.get("state")).toBe("a state");
  return { person, verifier, code: to.searchParams.get("code") ?? "" };
}

const exchange = (app: App, code: string, verifier: string) =>
  post("/2/oauth2/token", {
    grant_type: "authorization_code",
    code,
    redirect_uri: REDIRECT,
    code_verifier: verifier,
    client_id: app.client_id,
  });

function parts() {
  const { db } = roost.resources;
  return {
    db,
    apps: new AppRepo(db),
    codes: new CodeRepo(db),
    sessions: new Sessions(roost.resources),
  };
}

/** Somebody who is signed in on the consent page, and how they allow an app something in that session. */
async function signedIn(app: App) {
  const person = await Client.signUp(url, newName());
  const browser = new Browser(url);
  const path = consentPath(app.client_id, pkce().challenge);
  await browser.submit(path, await browser.open(path), {
    username: person.username,
    password: PASSWORD,
    decision: "allow",
  });
  const session = await roost.call("user.authenticate", {
    token: browser.cookies.get("roost_session") ?? "",
  });
  if (!session?.userId) throw new Error("nobody is signed in");
  const viewer = { ...session, userId: session.userId };
  const oauth = new OAuth(parts());
  const query = Object.fromEntries(new URL(path, url).searchParams);
  return { person, allowed: () => oauth.allow(viewer, query) };
}

const codesOf = ({ id }: Client) =>
  roost.resources.db.read({ id }, sql`SELECT code_hash FROM authorization_codes WHERE user_id = ${id}`);

async function tokensFor(app: App, more?: Record<string, string>) {
  const { person, verifier, code } = await codeFor(app, more);
  const { status, body } = await exchange(app, code, verifier);
  expect(status).toBe(200);
  return { person, tokens: body };
}

const refresh = (app: App, refresh_token: string) =>
  post("/2/oauth2/token", { grant_type: "refresh_token", refresh_token, client_id: app.client_id });

const get = (path: string, token: string) =>
  send(url, "GET", path, { headers: { authorization: `Bearer ${token}` } });

describe("a public app", () => {
  it("gets tokens for a person, with which it may do what it was allowed and nothing else", async () => {
    const app = await register("public");
    const { person, tokens } = await tokensFor(app);
    expect(tokens).toEqual({
      token_type: "bearer",
      expires_in: 7_200,
      access_token: expect.stringMatching(/^ra_/),
      refresh_token: expect.stringMatching(/^rr_/),
      scope: SCOPES,
    });
    const bearer = { authorization: `Bearer ${tokens.access_token}` };
    expect((await get("/2/users/me", tokens.access_token)).body.data).toMatchObject({ id: person.id });
    const posted = await send(url, "POST", "/2/tweets", {
      body: { text: "through an app" },
      headers: bearer,
    });
    expect(posted.status).toBe(201);
    const followed = await send(url, "POST", `/2/users/${person.id}/following`, {
      body: { target_user_id: developer.id },
      headers: bearer,
    });
    expect(followed.status).toBe(403);
    expect(followed.body).toMatchObject({
      title: "Forbidden",
      detail: "The access token lacks the scope follows.write.",
    });
    expect(followed.headers.get("www-authenticate")).toContain('error="insufficient_scope"');
    for (const path of ["/auth/sessions", "/auth/apps"])
      expect((await get(path, tokens.access_token)).status).toBe(403);
  });

  it("proves that it began by S256 or plain, and a wrong proof costs the code", async () => {
    const app = await register("public");
    const plain = "p".repeat(43);
    const person = await Client.signUp(url, newName());
    const path = consentPath(app.client_id, plain, { code_challenge_method: "plain" });
    const code = (await allow(new Browser(url), path, person)).searchParams.get("code") ?? "";
    expect((await exchange(app, code, plain)).status).toBe(200);

    const other = await codeFor(app);
    expect((await exchange(app, other.code, "w".repeat(43))).body.error).toBe("invalid_grant");
    expect((await exchange(app, other.code, other.verifier)).body.error).toBe("invalid_grant");
  });

  it("cannot use the code of another app, nor send the person elsewhere afterwards", async () => {
    const [app, thief] = [await register("public"), await register("public")];
    const first = await codeFor(app);
    expect((await exchange(thief, first.code, first.verifier)).body.error).toBe("invalid_grant");
    const elsewhere = await post("/2/oauth2/token", {
      grant_type: "authorization_code",
      code: first.code,
      redirect_uri: "http://127.0.0.1:9/other",
      code_verifier: first.verifier,
      client_id: app.client_id,
    });
    expect(elsewhere).toMatchObject({ status: 400, body: { error: "invalid_request" } });
  });

  it("gets no refresh token without offline.access", async () => {
    const app = await register("public");
    const { tokens } = await tokensFor(app, { scope: "users.read tweet.read" });
    expect(tokens).not.toHaveProperty("refresh_token");
    expect((await get("/2/users/me", tokens.access_token)).status).toBe(200);
  });

  it("loses what a code gave where the code comes again", async () => {
    const app = await register("public");
    const { code, verifier } = await codeFor(app);
    const first = await exchange(app, code, verifier);
    expect((await exchange(app, code, verifier)).body.error).toBe("invalid_grant");
    expect((await get("/2/users/me", first.body.access_token)).status).toBe(401);
    expect((await refresh(app, first.body.refresh_token)).body.error).toBe("invalid_grant");
  });

  it("gets tokens once for a code, however many requests come at a time", async () => {
    const app = await register("public");
    const { code, verifier } = await codeFor(app);
    const answers = await Promise.all(Array.from({ length: 8 }, () => exchange(app, code, verifier)));
    expect(answers.filter(({ status }) => status === 200).length).toBeLessThanOrEqual(1);
    for (const { body } of answers.filter(({ status }) => status === 200))
      expect((await get("/2/users/me", body.access_token)).status).toBe(401);
  });

  it("gets nothing for a code that comes again while it is being exchanged", async () => {
    const app = await register("public");
    const { code } = await codeFor(app);
    const model = new OAuthModel(parts());
    const found = await model.getAuthorizationCode(code);
    if (!found) throw new Error("no such code");
    expect(await model.revokeAuthorizationCode(found)).toBe(true);
    expect(await model.getAuthorizationCode(code)).toBeNull();
    const token = { accessToken: "", scope: found.scope, client: found.client, user: found.user };
    await expect(model.saveToken(token, found.client, found.user)).rejects.toThrow("code came twice");
  });

  it.each([
    [
      "was changed",
      (who: Client) =>
        who.request("PUT", "/auth/password", {
          current_password: PASSWORD,
          new_password: "other horse battery",
        }),
    ],
    [
      "went with the account",
      (who: Client) => who.request("DELETE", "/auth/account", { password: PASSWORD }),
    ],
  ])("gets no code from a session that ended when the password %s", async (_, end) => {
    const app = await register("public");
    const { person, allowed } = await signedIn(app);
    expect((await end(person)).status).toBe(200);
    await expect(allowed()).rejects.toMatchObject({ type: "UNAUTHORIZED" });
    expect(await codesOf(person)).toEqual([]);
  });

  it("gets no code that outlives a change of the password at the same time", async () => {
    const app = await register("public");
    const { person, allowed } = await signedIn(app);
    const held = await HeldTable.of(roost.shards, "authorization_codes");
    await held.hold();
    const allowing = allowed().catch(() => undefined);
    await eventually(async () => (await held.waiting()) >= 1, "the code is about to be stored");
    const body = { current_password: PASSWORD, new_password: "other horse battery" };
    const changing = person.request("PUT", "/auth/password", body);
    await eventually(async () => (await held.waiting()) >= 2, "both wait");
    await held.release();
    await held.close();
    await allowing;
    expect((await changing).status).toBe(200);
    expect(await codesOf(person)).toEqual([]);
  });

  it("gets no tokens while it is being deleted", async () => {
    const app = await register("public");
    const { code, person } = await codeFor(app);
    const model = new OAuthModel(parts());
    const found = await model.getAuthorizationCode(code);
    if (!found) throw new Error("no such code");
    expect(await model.revokeAuthorizationCode(found)).toBe(true);
    expect((await app.owner.request("DELETE", `/auth/apps/${app.client_id}`)).status).toBe(200);
    await roost.settle();
    const token = { accessToken: "", scope: found.scope, client: found.client, user: found.user };
    await expect(model.saveToken(token, found.client, found.user)).rejects.toThrow("the app was deleted");
    const { db } = roost.resources;
    expect(await db.read(person, sql`SELECT id FROM sessions WHERE client_id = ${app.client_id}`)).toEqual(
      [],
    );
  });

  it("has a minute for a code", async () => {
    const app = await register("public");
    const { code, verifier, person } = await codeFor(app);
    await roost.resources.db.write(
      person,
      sql`UPDATE authorization_codes SET expires = now() - interval '1 ms' WHERE user_id = ${person.id}`,
    );
    expect((await exchange(app, code, verifier)).body).toMatchObject({ error: "invalid_grant" });
  });
});

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

describe("an app that is deleted", () => {
  it("ends with all of its sessions, on every shard", async () => {
    const app = await register("public");
    const given = await Promise.all([tokensFor(app), tokensFor(app), tokensFor(app), tokensFor(app)]);
    expect((await app.owner.request("DELETE", `/auth/apps/${app.client_id}`)).body.data).toEqual({
      deleted: true,
    });
    for (const { tokens } of given) {
      expect((await refresh(app, tokens.refresh_token)).body.error).toBe("invalid_client");
      await eventually(
        async () => (await get("/2/users/me", tokens.access_token)).status === 401,
        "the token ends",
      );
    }
    const { body } = await app.owner.request("GET", "/auth/apps");
    expect(JSON.stringify(body.data)).not.toContain(app.client_id);
  });

  it("takes the rules of its streams along, those too that were being added meanwhile", async () => {
    const app = await register("confidential");
    const { body } = await post("/2/oauth2/token", { grant_type: "client_credentials" }, basic(app));
    const added = await send(url, "POST", "/2/tweets/search/stream/rules", {
      body: { add: [{ value: "cats" }] },
      headers: { authorization: `Bearer ${body.access_token}` },
    });
    expect(added.status).toBeLessThan(300);
    const { db } = roost.resources;
    const { owner, client_id } = app;
    const rules = () => db.read(owner, sql`SELECT id FROM stream_rules WHERE owner = ${client_id}`);
    expect(await rules()).toHaveLength(1);
    await owner.request("DELETE", `/auth/apps/${client_id}`);
    expect(await rules()).toEqual([]);
    await roost.settle();
    const bucket = bucketOf(owner.id);
    await db.write(
      owner,
      sql`INSERT INTO stream_rules (id, owner, value) VALUES (next_id(${bucket}), ${client_id}, 'late')
          RETURNING enqueue(${bucket}, 'app', ${JSON.stringify({ client_id, last: true })}::jsonb)`,
    );
    await eventually(async () => (await rules()).length === 0, "the late rule is erased");
  });

  it("is nobody else's to delete, or to change", async () => {
    const app = await register("confidential");
    const other = await Client.signUp(url, newName());
    expect((await other.request("DELETE", `/auth/apps/${app.client_id}`)).status).toBe(404);
    expect((await other.request("POST", `/auth/apps/${app.client_id}/secret`)).status).toBe(404);
  });
});

describe("registration", () => {
  it.each([
    "http://example.org/cb",
    "https://example.org/cb#part",
    "javascript:alert(1)",
    "https://user:pw@example.org/",
    "not a uri",
  ])("refuses to send people to %s", async (uri) => {
    const wish = { name: "App", redirect_uris: [uri], type: "public" };
    const { status, body } = await developer.request("POST", "/auth/apps", wish);
    expect(status).toBe(400);
    expect(body.errors?.[0]?.parameters).toHaveProperty("redirect_uris");
  });

  it.each(["Trust\u202eme", "Trust\u2066me", "Trust\u0000me"])("refuses the name %j", async (name) => {
    const wish = { name, redirect_uris: [REDIRECT], type: "public" };
    const { status, body } = await developer.request("POST", "/auth/apps", wish);
    expect(status).toBe(400);
    expect(body.errors?.[0]?.parameters).toHaveProperty("name");
  });

  it("ends at a number of apps, however many are asked for at a time", async () => {
    const owner = await Client.signUp(url, newName());
    const wish = { name: "App", redirect_uris: [REDIRECT], type: "public" };
    const answers = await Promise.all(
      Array.from({ length: limits.appsPerUser + 4 }, () => owner.request("POST", "/auth/apps", wish)),
    );
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses).toEqual([...new Array(limits.appsPerUser).fill(201), ...new Array(4).fill(409)]);
  });

  it("keeps secrets as hashes", async () => {
    const app = await register("confidential");
    const rows = await roost.resources.db.readAll(
      sql<{ stored: string }>`SELECT apps::text AS stored FROM apps`,
    );
    expect(JSON.stringify(rows)).not.toContain(app.client_secret);
  });
});

describe("the consent page", () => {
  let app: App;
  beforeAll(async () => {
    app = await register("public", [REDIRECT, "myapp://done", "https://client.example/cb?keep=1"]);
  });

  const open = (more: Record<string, string> = {}) =>
    new Browser(url).open(consentPath(app.client_id, pkce().challenge, more));

  it("names the app and what it asks for, loads nothing and is framed by nobody", async () => {
    const { status, html, headers } = await open();
    expect(status).toBe(200);
    expect(html).toContain("&lt;b&gt;App&lt;/b&gt;");
    expect(html).not.toContain("<b>App");
    expect(html).toContain("See your profile and every profile you can see");
    const policy = headers.get("content-security-policy") ?? "";
    expect(policy).toMatch(/default-src 'none'/);
    expect(policy).toMatch(/frame-ancestors 'none'/);
    expect(policy).toContain("form-action 'self' http://127.0.0.1:9;");
    const style = /<style>([\s\S]*?)<\/style>/.exec(html)?.[1] ?? "";
    expect(policy).toContain(`'sha256-${hash("sha256", style, "base64")}'`);
    expect(headers.get("x-frame-options")).toBe("DENY");
  });

  it("leads to an app's own scheme, too, and keeps an address's own query", async () => {
    expect((await open({ redirect_uri: "myapp://done" })).headers.get("content-security-policy")).toContain(
      "form-action 'self' myapp:;",
    );
    const browser = new Browser(url);
    const path = consentPath(app.client_id, pkce().challenge, {
      redirect_uri: "https://client.example/cb?keep=1",
    });
    const to = await allow(browser, path, await Client.signUp(url, newName()));
    expect(to.href).toMatch(/^https:\/\/client\.example\/cb\?keep=1&code=rk_[^&]+&state=a\+state$/);
  });

  it.each([
    ["an unknown app", { client_id: "rc_000_AAAAAAAAAAAAAAAAAAAAAA" }],
    ["no app", { client_id: "x" }],
    ["an address that is not the app's", { redirect_uri: "https://evil.example/" }],
    ["an address that only begins like it", { redirect_uri: `${REDIRECT}/more` }],
  ])("sends nobody anywhere for %s", async (_, more) => {
    const page = await open(more);
    expect(page.status).toBe(400);
    expect(page.location).toBeUndefined();
    const answer = await new Browser(url).submit("/2/oauth2/authorize", page, { decision: "deny", ...more });
    expect(answer.location).toBeUndefined();
  });

  it.each([
    ["response_type", { response_type: "token" }, "unsupported_response_type"],
    ["scope", { scope: "tweet.read everything" }, "invalid_scope"],
    ["code_challenge", { code_challenge: "short" }, "invalid_request"],
    ["code_challenge_method", { code_challenge_method: "S512" }, "invalid_request"],
  ])("tells the app of a wrong %s", async (_, more, error) => {
    const { location } = await open(more);
    expect(location?.href.startsWith(REDIRECT)).toBe(true);
    expect(location?.searchParams.get("error")).toBe(error);
    expect(location?.searchParams.get("state")).toBe("a state");
  });

  it("takes any port of the loopback interface", async () => {
    expect((await open({ redirect_uri: "http://127.0.0.1:54321/callback" })).status).toBe(200);
    expect((await open({ redirect_uri: "http://127.0.0.1.evil.example/callback" })).status).toBe(400);
  });

  it("tells the app of a refusal, for which nobody need sign in", async () => {
    const browser = new Browser(url);
    const path = consentPath(app.client_id, pkce().challenge);
    const { location } = await browser.submit(path, await browser.open(path), { decision: "deny" });
    expect(location?.searchParams.get("error")).toBe("access_denied");
    expect(location?.searchParams.get("state")).toBe("a state");
  });

  it("sends nobody to a port that there is not", async () => {
    expect((await open({ redirect_uri: "http://127.0.0.1:99999/callback" })).status).toBe(400);
  });

  it.each(["a\0b", "a b", ""])("asks again where the username is %j, which none is", async (username) => {
    const browser = new Browser(url);
    const path = consentPath(app.client_id, pkce().challenge);
    const filled = { username, password: PASSWORD, decision: "allow" };
    expect((await browser.submit(path, await browser.open(path), filled)).status).toBe(401);
  });

  it("asks again where the password is wrong, and has signed nobody in", async () => {
    const person = await Client.signUp(url, newName());
    const browser = new Browser(url);
    const path = consentPath(app.client_id, pkce().challenge);
    const filled = { username: person.username, password: "wrong horse", decision: "allow" };
    const page = await browser.submit(path, await browser.open(path), filled);
    expect(page.status).toBe(401);
    expect(page.html).toContain("The username or the password is wrong.");
    expect(browser.cookies.has("roost_session")).toBe(false);
  });

  it("remembers who signed in, until they say that they are somebody else", async () => {
    const person = await Client.signUp(url, newName());
    const browser = new Browser(url);
    const path = consentPath(app.client_id, pkce().challenge);
    await allow(browser, path, person);
    const page = await browser.open(path);
    expect(page.html).toContain(`@${person.username}`);
    expect((await browser.submit(path, page, { decision: "allow" })).location?.searchParams.has("code")).toBe(
      true,
    );
    const token = browser.cookies.get("roost_session") ?? "";
    expect((await get("/2/users/me", token)).status).toBe(403);
    const other = await browser.submit(path, page, { decision: "switch" });
    expect(other.html).toContain('name="password"');
    expect((await browser.open(path)).html).toContain('name="password"');
  });

  it("takes no form of another site: without its cookie, with another token, or from another origin", async () => {
    const person = await Client.signUp(url, newName());
    const browser = new Browser(url);
    const path = consentPath(app.client_id, pkce().challenge);
    await allow(browser, path, person);
    const page = await browser.open(path);
    const forged = { ...page, hidden: { ...page.hidden, form_token: "A".repeat(43) } };
    expect(await browser.submit(path, forged, { decision: "allow" })).toMatchObject({
      status: 403,
      location: undefined,
    });
    const send = (headers: Record<string, string>) => {
      const cookie = Array.from(browser.cookies, ([name, value]) => `${name}=${value}`).join("; ");
      const body = new URLSearchParams({ ...page.hidden, decision: "allow" });
      return fetch(url + path, { method: "POST", body, redirect: "manual", headers: { cookie, ...headers } });
    };
    expect((await send({ origin: "https://evil.example" })).status).toBe(403);
    expect((await send({ "sec-fetch-site": "cross-site" })).status).toBe(403);
    browser.cookies.delete("roost_form");
    expect((await send({})).status).toBe(403);
    const fresh: Page = await browser.open(path);
    expect((await browser.submit(path, fresh, { decision: "allow" })).status).toBe(302);
  });

  it("is where the X API has it, too", async () => {
    const path = consentPath(app.client_id, pkce().challenge).replace("/2/", "/i/");
    const to = await allow(new Browser(url), path, await Client.signUp(url, newName()));
    expect(to.searchParams.has("code")).toBe(true);
  });
});

it("all of this leaves nothing for an audit to find", async () => {
  await roost.settle();
  expect(await roost.audit()).toEqual([]);
});
