import OAuth2Server from "@node-oauth/oauth2-server";
import { limits } from "../../../config/limits.ts";
import { invalidField, RoostError } from "../../contracts/errors.ts";
import type {
  AuthorizationQuery,
  OAuthAnswer,
  OAuthRequest,
  PendingAuthorization,
  TokenSession,
  Viewer,
} from "../../contracts/sessions.ts";
import type { AppRow } from "./app.repo.ts";
import { renewOwnToken } from "./apps.ts";
import { authorizationFault, challengeMethod, scopesIn } from "./authorization-rules.ts";
import { type Issued, OAuthModel, type OAuthParts, provesItself } from "./model.ts";
import { formTarget, isRegistered, withParameters } from "./redirects.ts";

const { InvalidClientError, InvalidRequestError, OAuthError, UnauthorizedClientError } = OAuth2Server;

/**
 * OAuth 2.0: authorization code with PKCE, refresh and client credentials (RFC 6749, 7636), revocation (RFC 7009). The
 * library checks grants and clients; what is stored is OAuthModel's affair.
 */
export class OAuth {
  readonly #parts: OAuthParts;
  readonly #server: OAuth2Server;

  constructor(parts: OAuthParts) {
    this.#parts = parts;
    const options = {
      model: new OAuthModel(parts),
      allowEmptyState: true,
      authorizationCodeLifetime: limits.authorizationCodeMs / 1_000,
      enablePlainPKCE: true,
      // The model asks every app that has a secret for it; a public one has none.
      requireClientAuthentication: {
        authorization_code: false,
        refresh_token: false,
        client_credentials: true,
      },
    };
    this.#server = new OAuth2Server(options);
  }

  /**
   * What an app asks a person for, or where to send them with an error. Throws 400 where they must not be sent anywhere:
   * the app is not known, or the address is none of its own.
   */
  async ask(query: AuthorizationQuery): Promise<PendingAuthorization> {
    const { app, uri } = await this.#requireApp(query);
    const fault = authorizationFault(query);
    if (fault) return { redirect: withParameters(uri, { ...fault, state: query.state }) };
    return { app: app.name, scopes: scopesIn(query.scope) ?? [], target: formTarget(uri) };
  }

  /** Gives an app a code for a user; returns where to send them. Throws as `ask` does, and 401 where the session has ended. */
  async allow({ userId, sessionId }: Viewer, query: AuthorizationQuery): Promise<string> {
    const { uri } = await this.#requireApp(query);
    const fault = authorizationFault(query);
    if (fault) return withParameters(uri, { ...fault, state: query.state });
    const scope = scopesIn(query.scope)?.join(" ");
    const code_challenge_method = challengeMethod(query.code_challenge_method);
    const request = new OAuth2Server.Request({
      method: "POST",
      headers: {},
      query: {},
      body: { ...query, scope, code_challenge_method },
    });
    const authenticateHandler = { handle: () => ({ userId, sessionId }) };
    const code = await this.#server
      .authorize(request, new OAuth2Server.Response(), { authenticateHandler })
      .catch((error) => {
        throw unwrapped(error);
      });
    return withParameters(uri, { code: code.authorizationCode, state: query.state });
  }

  /** Where to send somebody who has refused. Throws as `ask` does. */
  async deny(query: AuthorizationQuery): Promise<string> {
    const { uri } = await this.#requireApp(query);
    return withParameters(uri, { error: "access_denied", state: query.state });
  }

  /** Answers a token request, errors included (RFC 6749, section 5.2). Throws 503 where it cannot be answered now. */
  token({ form, authorization }: OAuthRequest): Promise<OAuthAnswer> {
    return answering(authorization, async () => {
      const request = new OAuth2Server.Request({
        method: "POST",
        // The gateway has read the body, whatever its encoding was; the library wants to hear of a form.
        headers: {
          "content-type": "application/x-www-form-urlencoded",
          "content-length": "1",
          ...(authorization ? { authorization } : {}),
        },
        query: {},
        body: form,
      });
      const token = await this.#server.token(request, new OAuth2Server.Response());
      const { issued, scope = [] }: { issued?: Issued; scope?: string[] } = token;
      return {
        token_type: "bearer",
        ...issued,
        ...(form.grant_type === "client_credentials" ? {} : { scope: scope.join(" ") }),
      };
    });
  }

  /** Ends the session of an access or refresh token of the app that asks; a token that is none is no error (RFC 7009). */
  revoke({ form, authorization }: OAuthRequest): Promise<OAuthAnswer> {
    return answering(authorization, async () => {
      if (!form.token) throw new InvalidRequestError("Missing parameter: `token`");
      const { client_id } = await this.#requireClient({ form, authorization });
      const session = await this.#parts.sessions.behind(form.token);
      if (session && session.clientId !== client_id)
        throw new UnauthorizedClientError("Unauthorized client: not a token of this app");
      if (session) await this.#end(session, client_id);
      return { revoked: true };
    });
  }

  /** Ends the token by which an app asks for itself; the next one it gets is another. */
  invalidate({ form, authorization }: OAuthRequest): Promise<OAuthAnswer> {
    return answering(authorization, async () => {
      const { access_token = "" } = form;
      const app = await this.#requireClient({ form, authorization });
      if (!app.secret_hash) throw new UnauthorizedClientError("Unauthorized client: this app has no token");
      const session = await this.#parts.sessions.behind(access_token);
      if (session?.clientId !== app.client_id || session.userId)
        throw new InvalidRequestError("Invalid parameter: `access_token`");
      await renewOwnToken(this.#parts, app.client_id);
      return { access_token };
    });
  }

  /** An app's own token would be the same again: with its end the next one becomes another. */
  #end({ userId, sessionId }: TokenSession, clientId: string): Promise<unknown> {
    return userId ? this.#parts.sessions.end({ userId, sessionId }) : renewOwnToken(this.#parts, clientId);
  }

  async #requireApp(query: AuthorizationQuery): Promise<{ app: AppRow; uri: string }> {
    const { client_id = "", redirect_uri = "" } = query;
    const app = await this.#parts.apps.byClientId(client_id);
    if (!app) throw invalidField("client_id", client_id, "names no app");
    if (!isRegistered(redirect_uri, app.redirect_uris)) {
      throw invalidField("redirect_uri", redirect_uri, "is not one that this app has registered");
    }
    return { app, uri: redirect_uri };
  }

  /** The app behind a request, by HTTP Basic or in the form. */
  async #requireClient({ form, authorization }: OAuthRequest): Promise<AppRow> {
    const basic = basicCredentials(authorization);
    const { id = "", secret } = basic ?? { id: form.client_id, secret: form.client_secret };
    const app = await this.#parts.apps.byClientId(id);
    if (!app || !provesItself(app, secret))
      throw new InvalidClientError("Invalid client: client is invalid", { code: basic ? 401 : 400 });
    return app;
  }
}

/** Reads HTTP Basic (RFC 6749, section 2.3.1); undefined for anything else. */
function basicCredentials(authorization = ""): { id: string; secret: string } | undefined {
  const [, encoded] = /^basic +([A-Za-z0-9+/=_-]+) *$/i.exec(authorization) ?? [];
  const [, id, secret] = /^([^:]*):(.*)$/.exec(Buffer.from(encoded ?? "", "base64").toString()) ?? [];
  return id === undefined || secret === undefined ? undefined : { id, secret };
}

/** Turns what the library throws into the answer that RFC 6749 wants; an outage goes on as it is. */
async function answering(
  authorization: string | undefined,
  work: () => Promise<Record<string, unknown>>,
): Promise<OAuthAnswer> {
  try {
    return { status: 200, body: await work() };
  } catch (error) {
    const cause = unwrapped(error);
    if (!(cause instanceof OAuthError)) throw cause;
    const { code: status, name, message } = cause;
    if (status >= 500) throw new RoostError("INTERNAL", message);
    return {
      status,
      body: { error: name, error_description: message },
      ...(status === 401 && authorization ? { challenge: 'Basic realm="Roost"' } : {}),
    };
  }
}

/** What the model threw, which comes wrapped by the library, unless that is an error of OAuth itself. */
function unwrapped(error: unknown): unknown {
  const inner = Error.isError(error) && "inner" in error ? error.inner : undefined;
  return inner && !(inner instanceof OAuthError) ? inner : error;
}
