import { hash, randomBytes } from "node:crypto";
import { BUCKETS } from "../../config/topology.ts";
import { bucketOf } from "../../mixins/shard-db/ids.ts";
import type { TokenSession } from "../contracts/actions.ts";
import { isScope } from "../contracts/scopes.ts";

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

/** Stands in Redis for a session that is being revoked. */
export const REVOKED = "-";

/** In the place of the user, where an app asks for nobody but itself. */
const NOBODY = "0".repeat(19);

/**
 * A session as Redis holds it: user id (19 digits), session id (a UUID), expiry in ms since 1970; of an app's session also
 * its client id ("-" for none) and its scopes. The admission script reads user and client.
 */
export function encodeSession(session: TokenSession, expiresAt: number): string {
  const { userId = NOBODY, sessionId, clientId, scopes } = session;
  const granted = clientId || scopes ? ` ${clientId ?? "-"} ${scopes?.join(",") ?? ""}` : "";
  return `${userId}${sessionId}${expiresAt}${granted}`;
}

const SESSION = /^(\d{19})([0-9a-f-]{36})(\d{13})(?: (\S+) (\S*))?$/;

/** The session in a Redis entry; undefined where it was revoked or has expired. */
export function decodeSession(
  payload: string,
  now = Date.now(),
): (TokenSession & { expiresAt: number }) | undefined {
  const [, userId = "", sessionId = "", expires, clientId, granted] = SESSION.exec(payload) ?? [];
  const expiresAt = Number(expires);
  if (!(expiresAt > now)) return undefined;
  return {
    ...(userId === NOBODY ? {} : { userId }),
    sessionId,
    ...(clientId && clientId !== "-" ? { clientId } : {}),
    ...(granted === undefined ? {} : { scopes: granted.split(",").filter(isScope) }),
    expiresAt,
  };
}

/** The bucket that a session is stored in: its user's, or its app's. */
export function bucketOfSession({ userId, clientId = "" }: TokenSession): number {
  return userId ? bucketOf(userId) : (bucketOfClient(clientId) ?? 0);
}

const CLIENT = /^rc_([0-9a-f]{3})_[A-Za-z0-9_-]{22}$/;

/** The bucket in a client id; undefined where it cannot be one. */
export function bucketOfClient(clientId: string): number | undefined {
  const bucket = Number.parseInt(CLIENT.exec(clientId)?.[1] ?? "", 16);
  return bucket < BUCKETS ? bucket : undefined;
}

/** A new client id of a bucket. */
export function makeClientId(bucket: number): string {
  return `rc_${bucket.toString(16).padStart(3, "0")}_${randomBytes(16).toString("base64url")}`;
}
