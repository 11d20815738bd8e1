import { hash } from "node:crypto";
import { gatewayPort } from "../../services/gateway/gateway.service.ts";
import { Client } from "../support/client.ts";
import { allow, Browser, consentPath, type Page, pkce, REDIRECT } from "../support/oauth.ts";
import { type App, appsOf, newName, PASSWORD } from "../support/oauth-apps.ts";
import { Roost } from "../support/roost.ts";

let roost: Roost;
let url: string;
const { register, get } = appsOf(() => url);

beforeAll(async () => {
  roost = await Roost.start({ services: ["user", "graph", "tweet", "timeline", "gateway"], shards: 3 });
  url = `http://127.0.0.1:${gatewayPort(roost.broker)}`;
});
afterAll(() => roost.stop());

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
