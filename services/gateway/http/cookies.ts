import type { IncomingMessage } from "node:http";

/** The value of a cookie; undefined where the client sent none of that name. Pure. */
export function cookieOf({ headers }: Pick<IncomingMessage, "headers">, name: string): string | undefined {
  for (const pair of (headers.cookie ?? "").split(";")) {
    const at = pair.indexOf("=");
    if (at > 0 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim();
  }
  return undefined;
}

/**
 * A cookie that scripts cannot read and that other sites' forms do not send. `maxAgeS` 0 takes it away; `secure`: it came
 * over TLS, and goes over nothing else. Pure.
 */
export function setCookie(
  name: string,
  value: string,
  { maxAgeS, secure }: { maxAgeS: number; secure: boolean },
): string {
  return `${name}=${value}; Path=/; Max-Age=${maxAgeS}; HttpOnly; SameSite=Lax${secure ? "; Secure" : ""}`;
}
