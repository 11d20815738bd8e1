import { Client } from "../../support/client.ts";
import { Browser, type Page, pkce } from "../../support/oauth.ts";
import { ann, bad, bob, cyd, good, noteSeen, url } from "./walk.ts";

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
      noteSeen(method, path, status);
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
