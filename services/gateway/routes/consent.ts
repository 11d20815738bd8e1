import { randomBytes } from "node:crypto";
import { errorCode } from "../../contracts/errors.ts";
import type { AuthorizationQuery, Viewer } from "../../contracts/sessions.ts";
import type { PublicUser } from "../../contracts/users.ts";
import { USERNAME } from "../../user/rules.ts";
import type { Admission } from "../auth.ts";
import type { Documented, Endpoint, RawRequest } from "../endpoint.ts";
import { readForm } from "../http/body.ts";
import { cookieOf, setCookie } from "../http/cookies.ts";
import { parseQuery } from "../http/query.ts";
import { sendHtml } from "../http/reply.ts";
import { userAgentOf } from "../http/user-agent.ts";
import { type Consent, consentPage, faultPage, pageHeaders, redirectPage } from "../present/consent-page.ts";
import { describe, invalidRequest } from "../problem.ts";
import { string } from "../schema.ts";

/** Cookies of the consent page: a session that allows nothing but to answer it; a token that its form must send back. */
const SESSION = "roost_session";
const FORM = "roost_form";
const FORM_S = 3_600;

const QUERY = [
  "client_id",
  "redirect_uri",
  "response_type",
  "scope",
  "state",
  "code_challenge",
  "code_challenge_method",
] as const;

/** A request on its way through the page. */
interface Visit extends RawRequest {
  admission: Admission;
  query: AuthorizationQuery;
  /** Cookies to be set with the answer. */
  cookies: string[];
}

/** Somebody whom the browser has signed in. */
interface Person {
  viewer: Viewer;
  username: string;
}

/**
 * The page on which people allow an app something (GET), and their answer (POST). It takes no scripts. Its form is good
 * only together with a cookie that no other site can read or set, and only where the browser does not say that it comes
 * from another site. Whoever is to be sent nowhere, because app or address are unknown, gets a page that says so.
 */
export function consentEndpoints(path: string): Endpoint[] {
  return [
    endpoint("GET", path, "Ask somebody to allow an app something", async (visit) => {
      await show(visit, { person: await personOf(visit) });
    }),
    endpoint("POST", path, "Their answer, from the form of that page", decide),
  ];
}

function endpoint(
  method: "GET" | "POST",
  path: string,
  summary: string,
  serve: (visit: Visit) => Promise<void>,
): Endpoint {
  return {
    method,
    path,
    documented: documentedBy(method, summary),
    async serve(raw, admission) {
      await admission.admitAnyone(raw.request, raw.response, "oauth");
      try {
        await serve({ ...raw, admission, query: queryIn(parseQuery(raw.rawQuery)), cookies: [] });
      } catch (error) {
        const { problem, headers, unexpected } = describe(error);
        if (unexpected) throw error;
        const page = faultPage(problem.detail ?? problem.title);
        sendHtml(raw.response, problem.status ?? 400, page, { ...pageHeaders(), ...headers });
      }
    },
  };
}

async function decide(visit: Visit): Promise<void> {
  const form = await readForm(visit.request);
  Object.assign(visit.query, queryIn(form));
  const person = await personOf(visit);
  if (!isOurForm(visit, form.form_token)) {
    return show(visit, {
      status: 403,
      person,
      fault: "This form was out of date. Please answer it once more.",
    });
  }
  if (form.decision === "switch") {
    if (person) await signOut(visit, person);
    return show(visit, {});
  }
  if (form.decision === "deny") return leave(visit, false);
  if (form.decision !== "allow") throw invalidRequest([]);
  const allowing = person ?? (await signIn(visit, form));
  if (!allowing) return show(visit, { status: 401, fault: "The username or the password is wrong." });
  visit.ctx.meta.viewer = allowing.viewer;
  await leave(visit, true);
}

/** Shows the page, or goes where the app's request leads. */
async function show(
  visit: Visit,
  { status = 200, person, fault }: { status?: number; person?: Person; fault?: string },
): Promise<void> {
  const { ctx, request, response, query, cookies } = visit;
  const pending = await ctx.call("user.askAuthorization", query);
  if (pending.redirect !== undefined) return redirect(visit, pending.redirect);
  const known = cookieOf(request, FORM) ?? "";
  const token = isToken(known) ? known : randomBytes(32).toString("base64url");
  cookies.push(cookie(visit, FORM, token, FORM_S));
  const consent: Consent = {
    app: pending.app,
    scopes: pending.scopes,
    username: person?.username,
    hidden: { ...query, form_token: token },
    fault,
  };
  const headers = { ...pageHeaders(pending.target), "set-cookie": cookies };
  sendHtml(response, status, consentPage(consent), headers);
}

async function leave(visit: Visit, allowed: boolean): Promise<void> {
  const { redirect: to } = await visit.ctx.call("user.authorize", { ...visit.query, allowed });
  redirect(visit, to);
}

function redirect({ response, cookies }: Visit, to: string): void {
  const headers = {
    ...pageHeaders(),
    location: to,
    ...(cookies.length > 0 ? { "set-cookie": cookies } : {}),
  };
  sendHtml(response, 302, redirectPage(to), headers);
}

/** Whom the browser has signed in: only a person, not an app that got hold of the cookie's name. */
async function personOf({ ctx, request }: Visit): Promise<Person | undefined> {
  const token = cookieOf(request, SESSION);
  const session = token ? await ctx.call("user.authenticate", { token }) : null;
  if (!session?.userId || session.clientId) return undefined;
  const { userId, sessionId, scopes } = session;
  const [user] = await ctx.call("user.get", { ids: [userId] });
  return user && { viewer: { userId, sessionId, scopes }, username: user.username };
}

/** undefined where name or password are wrong, or missing. Throws 429. */
async function signIn(visit: Visit, form: Record<string, unknown>): Promise<Person | undefined> {
  const { admission, ctx, request, response } = visit;
  const { username = "", password = "" } = form;
  if (typeof username !== "string" || typeof password !== "string") return undefined;
  await admission.admitAnyone(request, response, "login");
  if (!USERNAME.pattern.test(username)) return undefined;
  try {
    const { user, access_token, expires_in } = await admission.tryPassword(visit, username, () =>
      ctx.call("user.browserLogin", { username, password, user_agent: userAgentOf(request) }),
    );
    visit.cookies.push(cookie(visit, SESSION, access_token, expires_in));
    return await personIn(visit, user, access_token);
  } catch (error) {
    if (errorCode(error) === "UNAUTHORIZED") return undefined;
    throw error;
  }
}

async function personIn({ ctx }: Visit, user: PublicUser, token: string): Promise<Person | undefined> {
  const session = await ctx.call("user.authenticate", { token });
  if (!session) return undefined;
  const { sessionId, scopes } = session;
  return { viewer: { userId: user.id, sessionId, scopes }, username: user.username };
}

async function signOut(visit: Visit, { viewer }: Person): Promise<void> {
  visit.ctx.meta.viewer = viewer;
  await visit.ctx.call("user.logout", {});
  visit.cookies.push(cookie(visit, SESSION, "", 0));
}

/** Whether a form comes from a page of ours, in the browser that we gave it to (a double-submitted cookie). */
function isOurForm({ request }: Visit, sent: unknown): boolean {
  const { host, origin, "sec-fetch-site": site } = request.headers;
  const given = cookieOf(request, FORM);
  if (!given || !isToken(given) || sent !== given) return false;
  if (site !== undefined && site !== "same-origin") return false;
  return origin === undefined || (URL.canParse(origin) && new URL(origin).host === host);
}

const isToken = (text: string): boolean => /^[A-Za-z0-9_-]{43}$/.test(text);

function cookie({ admission, request }: Visit, name: string, value: string, maxAgeS: number): string {
  return setCookie(name, value, { maxAgeS, secure: admission.isOverTls(request) });
}

/** What the OAuth standards name; everything else is ignored, as they want it. */
function queryIn(given: Record<string, unknown>): AuthorizationQuery {
  const named = QUERY.map((name) => [name, given[name]] as const);
  return Object.fromEntries(named.filter(([, value]) => typeof value === "string" && value !== ""));
}

function documentedBy(method: "GET" | "POST", summary: string): Documented {
  const html = (description: string) => ({ description, schema: string().json, type: "text/html" });
  const fields = {
    type: "object",
    properties: Object.fromEntries(QUERY.map((name) => [name, { type: "string" } as const])),
  } as const;
  const answer = {
    decision: { type: "string", enum: ["allow", "deny", "switch"] },
    form_token: { type: "string" },
  } as const;
  const body = { ...fields, properties: { ...fields.properties, ...answer } };
  return {
    tag: "OAuth",
    summary,
    access: "anyone",
    query: fields,
    ...(method === "POST" ? { body: { "application/x-www-form-urlencoded": body } } : {}),
    answers: {
      200: html("The page"),
      302: html("On to the app, with a code or an error"),
      400: html("App or address are unknown: nobody is sent anywhere"),
      401: html("The page again: username or password were wrong"),
      403: html("The page again: the form was not ours"),
      413: html("The form is too large"),
      415: html("Not a form"),
      429: html("Too many requests"),
      503: html("Not available at the moment"),
    },
  };
}
