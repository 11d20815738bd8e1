import { missingScopes, type Scope } from "../contracts/scopes.ts";
import type { App, TokenSession, Viewer } from "../contracts/sessions.ts";
import { GatewayError } from "./problem.ts";

/** Who stands behind an access token: a user, or an app by itself. */
export type Caller = { viewer: Viewer; app?: undefined } | { viewer?: undefined; app: App };

/**
 * Who a session stands for. Throws 403 where an app acts for a user without having been granted every scope that is
 * `needed`; undefined: no app may, whatever it was granted. Pure.
 */
export function callerOf(session: TokenSession, needed: readonly Scope[] | undefined): Caller {
  const { userId, sessionId, clientId, scopes } = session;
  if (!userId) return { app: { clientId: clientId ?? "" } };
  if (scopes && !needed) throw firstPartyOnly();
  const missing = missingScopes(scopes, needed ?? []);
  if (missing.length > 0) throw insufficientScope(missing);
  return { viewer: { userId, sessionId, ...(clientId ? { clientId } : {}), ...(scopes ? { scopes } : {}) } };
}

/** Throws the X API's 403 for an app by itself. */
export function requireUser(caller: Caller): { viewer: Viewer } {
  if (caller.viewer) return caller;
  throw unsupported("Application-Only", "OAuth 2.0 User Context");
}

/** Throws the X API's 403 for anyone but an app by itself. */
export function requireApp(caller: Caller): { app: App } {
  if (caller.app) return caller;
  throw unsupported("User Context", "OAuth 2.0 Application-Only");
}

function unsupported(used: string, supported: string): GatewayError {
  return new GatewayError(
    "UNSUPPORTED_AUTHENTICATION",
    `Authenticating with OAuth 2.0 ${used} is forbidden for this endpoint. Supported authentication types are [${supported}].`,
  );
}

/** With the header of RFC 6750, section 3.1. */
function insufficientScope(missing: Scope[]): GatewayError {
  const scope = missing.join(" ");
  return new GatewayError(
    "FORBIDDEN",
    `The access token lacks the ${missing.length > 1 ? "scopes" : "scope"} ${scope}.`,
    { headers: { "www-authenticate": `Bearer error="insufficient_scope", scope="${scope}"` } },
  );
}

function firstPartyOnly(): GatewayError {
  return new GatewayError(
    "FORBIDDEN",
    "No app may do this for a user: sign in yourself or, where it may be read in public, with the app's own token.",
  );
}
