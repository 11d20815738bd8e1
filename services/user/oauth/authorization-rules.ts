import { isScope, type Scope } from "../../contracts/scopes.ts";
import type { AuthorizationQuery } from "../../contracts/sessions.ts";

/** An error that an app is told of, by the names of RFC 6749, section 4.1.2.1. */
export interface AuthorizationError {
  error: "invalid_request" | "unsupported_response_type" | "invalid_scope";
  error_description: string;
}

/** The values of RFC 7636: what a verifier and its hash are made of. */
const CHALLENGE = /^[A-Za-z0-9._~-]{43,128}$/;
const VISIBLE = /^[\x20-\x7e]{0,2000}$/;

/** The scopes that a text names, each once; undefined where one is unknown or none is named. Pure. */
export function scopesIn(text: string | undefined): Scope[] | undefined {
  const names = [...new Set((text ?? "").split(/[ ,]+/).filter((name) => name !== ""))];
  const known = names.filter(isScope);
  return known.length > 0 && known.length === names.length ? known : undefined;
}

/** The method of a code challenge, whose case X's own SDKs get wrong; undefined where it is none. Pure. */
export function challengeMethod(text = "plain"): "S256" | "plain" | undefined {
  const name = text.toLowerCase();
  return name === "s256" ? "S256" : name === "plain" ? name : undefined;
}

/** What is wrong with a request for authorization whose app and redirect address are good; undefined where nothing is. Pure. */
export function authorizationFault(query: AuthorizationQuery): AuthorizationError | undefined {
  const invalid = (error_description: string): AuthorizationError => ({
    error: "invalid_request",
    error_description,
  });
  const { response_type, scope, state = "", code_challenge = "", code_challenge_method } = query;
  if (!response_type) return invalid("response_type is missing");
  if (response_type !== "code") {
    return { error: "unsupported_response_type", error_description: "response_type must be code" };
  }
  if (!VISIBLE.test(state)) return invalid("state must be at most 2000 printable ASCII characters");
  if (!CHALLENGE.test(code_challenge)) {
    return invalid("code_challenge must be 43 to 128 characters as in RFC 7636: PKCE is required");
  }
  if (!challengeMethod(code_challenge_method)) {
    return invalid("code_challenge_method must be S256 or plain");
  }
  if (!scopesIn(scope)) {
    return { error: "invalid_scope", error_description: "scope must name one or more known scopes" };
  }
  return undefined;
}
