import { hash, randomBytes } from "node:crypto";
import { BUCKETS } from "../../config/topology.ts";
import type { Viewer } from "../contracts/actions.ts";

/**
 * Tokens are opaque: `ra_<bucket>_<secret>` (access) or `rr_…` (refresh), the bucket as three hexadecimal digits, the
 * secret 256 random bits as base64url. The bucket says which shard and which Redis partition to ask, so that a bogus
 * token costs one shard. Only the SHA-256 of the whole token is ever stored.
 */
export type TokenKind = "access" | "refresh";

export interface TokenRef {
  bucket: number;
  /** SHA-256 of the token, base64url. */
  hash: string;
}

const PREFIX: Record<TokenKind, string> = { access: "ra", refresh: "rr" };
const FORM = /^(ra|rr)_([0-9a-f]{3})_[A-Za-z0-9_-]{43}$/;

/** A new token of a bucket. */
export function makeToken(kind: TokenKind, bucket: number): string {
  return `${PREFIX[kind]}_${bucket.toString(16).padStart(3, "0")}_${randomBytes(32).toString("base64url")}`;
}

/** What a token is looked up by; undefined for anything that cannot be one. */
export function parseToken(kind: TokenKind, token: string): TokenRef | undefined {
  const [, prefix, digits = ""] = FORM.exec(token) ?? [];
  const bucket = Number.parseInt(digits, 16);
  if (prefix !== PREFIX[kind] || bucket >= BUCKETS) return undefined;
  return { bucket, hash: hash("sha256", token, "base64url") };
}

/** A session as Redis holds it: user id (19 digits), session id (a UUID), expiry in ms since 1970. */
export function encodeSession({ userId, sessionId }: Viewer, expiresAt: number): string {
  return `${userId}${sessionId}${expiresAt}`;
}

/** Stands in Redis for a session that is being revoked. */
export const REVOKED = "-";

const SESSION = /^(\d{19})([0-9a-f-]{36})(\d{13})$/;

/** The session in a Redis entry; undefined where it was revoked or has expired. */
export function decodeSession(
  payload: string,
  now = Date.now(),
): (Viewer & { expiresAt: number }) | undefined {
  const [, userId = "", sessionId = "", expires] = SESSION.exec(payload) ?? [];
  const expiresAt = Number(expires);
  return expiresAt > now ? { userId, sessionId, expiresAt } : undefined;
}
