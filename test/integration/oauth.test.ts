import { sql } from "../../mixins/shard-db/index.ts";
import { gatewayPort } from "../../services/gateway/gateway.service.ts";
import { AppRepo } from "../../services/user/oauth/app.repo.ts";
import { CodeRepo } from "../../services/user/oauth/code.repo.ts";
import { OAuth } from "../../services/user/oauth/index.ts";
import { OAuthModel } from "../../services/user/oauth/model.ts";
import { Sessions } from "../../services/user/sessions/index.ts";
import { Client, send } from "../support/client.ts";
import { HeldTable } from "../support/held-table.ts";
import { allow, Browser, consentPath, pkce } from "../support/oauth.ts";
import { type App, appsOf, newName, PASSWORD } from "../support/oauth-apps.ts";
import { eventually, Roost } from "../support/roost.ts";

const SCOPES = "tweet.read users.read tweet.write offline.access";

let roost: Roost;
let url: string;
let developer: Client;
const { register, post, codeFor, exchange, tokensFor, refresh, get } = appsOf(() => url);

beforeAll(async () => {
  roost = await Roost.start({ services: ["user", "graph", "tweet", "timeline", "gateway"], shards: 3 });
  url = `http://127.0.0.1:${gatewayPort(roost.broker)}`;
  developer = await Client.signUp(url, newName());
});
afterAll(() => roost.stop());

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

it("all of this leaves nothing for an audit to find", async () => {
  await roost.settle();
  expect(await roost.audit()).toEqual([]);
});
