import { hash, randomBytes } from "node:crypto";
import { expectDocumented } from "./x-api.ts";

export const REDIRECT = "http://127.0.0.1:9/callback";

/** A verifier of PKCE and its challenge by S256. */
export function pkce(): { verifier: string; challenge: string } {
  const verifier = randomBytes(32).toString("base64url");
  return { verifier, challenge: hash("sha256", verifier, "base64url") };
}

/** Where an app sends people, to be allowed what it asks for. */
export function consentPath(clientId: string, challenge: string, more: Record<string, string> = {}): string {
  return `/2/oauth2/authorize?${new URLSearchParams({
    response_type: "code",
    client_id: clientId,
    redirect_uri: REDIRECT,
    scope: "tweet.read users.read tweet.write offline.access",
    state: "a state",
    code_challenge: challenge,
    code_challenge_method: "S256",
    ...more,
  })}`;
}

/** A page, or where it leads. */
export interface Page {
  status: number;
  headers: Headers;
  html: string;
  /** Where it redirects to. */
  location: URL | undefined;
  /** The hidden fields of its form. */
  hidden: Record<string, string>;
}

/** Somebody's browser, as far as the consent page needs one: it keeps cookies and sends forms, and follows no redirect. */
export class Browser {
  readonly url: string;
  readonly cookies = new Map<string, string>();

  constructor(url: string) {
    this.url = url;
  }

  open(path: string): Promise<Page> {
    return this.#fetch(path, {});
  }

  /** Sends a page's form with what a person filled in. */
  submit(path: string, page: Page, filled: Record<string, string>): Promise<Page> {
    const body = new URLSearchParams({ ...page.hidden, ...filled });
    return this.#fetch(path, { method: "POST", body });
  }

  async #fetch(path: string, request: RequestInit): Promise<Page> {
    const cookie = Array.from(this.cookies, ([name, value]) => `${name}=${value}`).join("; ");
    const response = await fetch(this.url + path, {
      ...request,
      redirect: "manual",
      headers: cookie ? { cookie } : {},
    });
    for (const line of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (/Max-Age=0(;|$)/.test(line)) this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    const html = await response.text();
    const type = response.headers.get("content-type") ?? undefined;
    expectDocumented(request.method ?? "GET", path, { status: response.status, type, body: html });
    const location = response.headers.get("location");
    return {
      status: response.status,
      headers: response.headers,
      html,
      location: location ? new URL(location) : undefined,
      hidden: Object.fromEntries(
        Array.from(
          html.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g),
          ([, name, value]) => [unescaped(name ?? ""), unescaped(value ?? "")],
        ),
      ),
    };
  }
}

/** Signs somebody in on the consent page that an app's URL leads to, and lets them allow it; returns where that leads. */
export async function allow(
  browser: Browser,
  path: string,
  { username, password = "correct horse battery" }: { username: string; password?: string },
): Promise<URL> {
  const page = await browser.open(path);
  const answer = await browser.submit(path, page, { username, password, decision: "allow" });
  if (!answer.location) throw new Error(`not allowed: ${answer.status} ${answer.html}`);
  return answer.location;
}

const unescaped = (text: string): string =>
  text
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'")
    .replaceAll("&amp;", "&");
