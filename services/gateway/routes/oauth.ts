import type { Ctx } from "../../contracts/context.ts";
import { errorCode } from "../../contracts/errors.ts";
import type { OAuthAnswer } from "../../contracts/sessions.ts";
import type { Endpoint, RawRequest } from "../endpoint.ts";
import { readFormOrJson } from "../http/body.ts";
import { delivering } from "../http/delivery.ts";
import { parseQuery } from "../http/query.ts";
import { sendJson } from "../http/reply.ts";
import { OAUTH_ERROR, OAUTH_TOKEN } from "../present/objects.ts";
import { describe } from "../problem.ts";
import { boolean, object, type Schema, string } from "../schema.ts";
import { consentEndpoints } from "./consent.ts";

type Form = Record<string, string>;

interface OAuthSpec {
  path: string;
  summary: string;
  fields: readonly string[];
  answer: Schema<unknown>;
  call(raw: RawRequest, request: { form: Form; authorization?: string }): Promise<OAuthAnswer>;
}

const TOKEN: Omit<OAuthSpec, "path"> = {
  summary: "Get tokens for a code, a refresh token or an app's own credentials",
  fields: [
    "grant_type",
    "code",
    "redirect_uri",
    "code_verifier",
    "refresh_token",
    "scope",
    "client_id",
    "client_secret",
  ],
  answer: OAUTH_TOKEN,
  call: (raw, request) => {
    const ask = (ctx: Ctx) => ctx.call("user.oauthToken", request);
    const { grant_type, refresh_token } = request.form;
    if (grant_type !== "refresh_token" || !refresh_token) return ask(raw.ctx);
    return delivering(raw, refresh_token, ask, ({ status }) => status === 200);
  },
};

const INVALIDATE: Omit<OAuthSpec, "path"> = {
  summary: "End the token by which an app asks for itself",
  fields: ["access_token", "client_id", "client_secret"],
  answer: object({ access_token: string() }),
  call: ({ ctx }, request) => ctx.call("user.oauthInvalidate", request),
};

/** OAuth 2.0: the consent page, and what apps call. Under the paths of the X API, new and old. */
export const oauthRoutes: Endpoint[] = [
  ...consentEndpoints("2/oauth2/authorize"),
  ...consentEndpoints("i/oauth2/authorize"),
  oauthEndpoint({ path: "2/oauth2/token", ...TOKEN }),
  oauthEndpoint({ path: "oauth2/token", ...TOKEN }),
  oauthEndpoint({
    path: "2/oauth2/revoke",
    summary: "End the session of a token",
    fields: ["token", "token_type_hint", "client_id", "client_secret"],
    answer: object({ revoked: boolean() }),
    call: ({ ctx }, request) => ctx.call("user.oauthRevoke", request),
  }),
  oauthEndpoint({ path: "2/oauth2/invalidate_token", ...INVALIDATE }),
  oauthEndpoint({ path: "oauth2/invalidate_token", ...INVALIDATE }),
];

/** Takes its parameters as a form, as JSON or, but for the secret, in the query; what RFC 6749 does not name is ignored. */
function oauthEndpoint({ path, summary, fields, answer, call }: OAuthSpec): Endpoint {
  const taking = (names: readonly string[]) =>
    object({}, Object.fromEntries(names.map((name) => [name, string()]))).json;
  const body = taking(fields);
  return {
    method: "POST",
    path,
    documented: {
      tag: "OAuth",
      summary,
      access: "anyone",
      query: taking(fields.filter((name) => name !== "client_secret")),
      body: { "application/x-www-form-urlencoded": body, "application/json": body },
      answers: {
        200: { description: "Done", schema: answer.json },
        400: { description: "What is wrong with the request", schema: OAUTH_ERROR.json },
        401: { description: "The app is not known, or its secret is wrong", schema: OAUTH_ERROR.json },
      },
    },
    async serve(raw, admission) {
      await admission.admitAnyone(raw.request, raw.response, "oauth");
      const { status, body: sent, challenge } = await answerOf(raw, fields, call);
      sendJson(raw.response, status, sent, challenge ? { "www-authenticate": challenge } : {});
    },
  };
}

async function answerOf(
  raw: RawRequest,
  fields: readonly string[],
  call: OAuthSpec["call"],
): Promise<OAuthAnswer> {
  try {
    const query = parseQuery(raw.rawQuery);
    // Proxies write it into their logs (RFC 6749, section 2.3.1).
    if ("client_secret" in query) return invalid("`client_secret` must not be in the query");
    const given = { ...query, ...(await readFormOrJson(raw.request)) };
    const form: Form = {};
    for (const name of fields) {
      const value = given[name];
      if (value === undefined) continue;
      if (typeof value !== "string") return invalid(`\`${name}\` must be a string`);
      form[name] = value;
    }
    const { authorization } = raw.request.headers;
    return await call(raw, { form, ...(authorization ? { authorization } : {}) });
  } catch (error) {
    if (errorCode(error) !== "INVALID_REQUEST") throw error;
    return invalid(describe(error).problem.detail ?? "");
  }
}

function invalid(error_description: string): OAuthAnswer {
  return { status: 400, body: { error: "invalid_request", error_description } };
}
