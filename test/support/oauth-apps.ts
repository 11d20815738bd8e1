import { Client, send } from "./client.ts";
import { allow, Browser, consentPath, pkce, REDIRECT } from "./oauth.ts";

export const PASSWORD = "correct horse battery";

let count = 0;
/** A username that nobody has yet. */
export const newName = () => `o${process.pid % 10_000}_${++count}`;

/** An app, and who registered it. */
export interface App {
  client_id: string;
  client_secret?: string;
  owner: Client;
}

export interface Tokens {
  token_type: string;
  access_token: string;
  refresh_token: string;
  expires_in: number;
  scope: string;
  error?: string;
}

/** How a confidential app proves itself. */
export const basic = ({ client_id, client_secret = "" }: App) => ({
  authorization: `Basic ${Buffer.from(`${client_id}:${client_secret}`).toString("base64")}`,
});

/** What apps and their developers ask of an API, under a URL that is known once its tests run. */
export function appsOf(url: () => string) {
  async function register(type: "public" | "confidential", redirects = [REDIRECT]): Promise<App> {
    const owner = await Client.signUp(url(), newName());
    const wish = { name: `<b>App</b> ${newName()}`, redirect_uris: redirects, type };
    const { status, body } = await owner.request("POST", "/auth/apps", wish);
    expect(status).toBe(201);
    return { ...(body.data as Omit<App, "owner">), owner }; // the contract of 201
  }

  /** A form, as most clients send it. */
  async function post(path: string, form: Record<string, string>, headers: Record<string, string> = {}) {
    const answer = await fetch(url() + path, { method: "POST", body: new URLSearchParams(form), headers });
    return { status: answer.status, headers: answer.headers, body: (await answer.json()) as Tokens };
  }

  /** A code for an app, which somebody new has allowed. */
  async function codeFor(app: App, more: Record<string, string> = {}) {
    const person = await Client.signUp(url(), newName());
    const { verifier, challenge } = pkce();
    const to = await allow(new Browser(url()), consentPath(app.client_id, challenge, more), person);
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

  async function tokensFor(app: App, more?: Record<string, string>) {
    const { person, verifier, code } = await codeFor(app, more);
    const { status, body } = await exchange(app, code, verifier);
    expect(status).toBe(200);
    return { person, tokens: body };
  }

  const refresh = (app: App, refresh_token: string) =>
    post("/2/oauth2/token", { grant_type: "refresh_token", refresh_token, client_id: app.client_id });

  const get = (path: string, token: string) =>
    send(url(), "GET", path, { headers: { authorization: `Bearer ${token}` } });

  return { register, post, codeFor, exchange, tokensFor, refresh, get };
}
