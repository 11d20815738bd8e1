import { hash, randomBytes } from "node:crypto";
import { BUCKETS } from "../../../config/topology.ts";

/**
 * Tokens are opaque: `ra_<bucket>_<secret>` (access), `rr_…` (refresh) or `rk_…` (authorization code), the bucket as three
 * hexadecimal digits, the secret 256 random bits as base64url. The bucket says which shard and which Redis partition to
 * ask, so that a bogus token costs one shard. Only the SHA-256 of the whole token is ever stored.
 */
export type TokenKind = "access" | "code";

export interface TokenRef {
  bucket: number;
  /** SHA-256 of the token, base64url. */
  hash: string;
}

export interface RefreshRef extends TokenRef {
  /** SHA-256 of what all refresh tokens of a session have in common, base64url. */
  family: string;
}

const PREFIX: Record<TokenKind, string> = { access: "ra", code: "rk" };
const FORM = /^(ra|rk)_([0-9a-f]{3})_[A-Za-z0-9_-]{43}$/;
/** Before the secret: 128 random bits which stay the same as long as the session lives. */
const REFRESH_FORM = /^(rr_([0-9a-f]{3})_[A-Za-z0-9_-]{22})[A-Za-z0-9_-]{43}$/;
const CLIENT_FORM = /^rc_([0-9a-f]{3})_[A-Za-z0-9_-]{22}$/;

const sha256 = (text: string): string => hash("sha256", text, "base64url");
const prefixOf = (prefix: string, bucket: number): string =>
  `${prefix}_${bucket.toString(16).padStart(3, "0")}_`;
const random = (bytes: number): string => randomBytes(bytes).toString("base64url");

/** A new token of a bucket. */
export function makeToken(kind: TokenKind, bucket: number): string {
  return prefixOf(PREFIX[kind], bucket) + random(32);
}

/** What a token is looked up by; undefined for anything that cannot be one. */
export function parseToken(kind: TokenKind, token: string): TokenRef | undefined {
  const [, prefix, digits] = FORM.exec(token) ?? [];
  const bucket = bucketIn(digits);
  if (prefix !== PREFIX[kind] || bucket === undefined) return undefined;
  return { bucket, hash: sha256(token) };
}

/** A new refresh token of a bucket: of a new session, or of the one that `earlier` is a refresh token of. */
export function makeRefreshToken(bucket: number, earlier?: string): string {
  const family = earlier && REFRESH_FORM.exec(earlier)?.[1];
  return (family ?? prefixOf("rr", bucket) + random(16)) + random(32);
}

/** What a refresh token is looked up by; undefined for anything that cannot be one. */
export function parseRefreshToken(token: string): RefreshRef | undefined {
  const [, family = "", digits] = REFRESH_FORM.exec(token) ?? [];
  const bucket = bucketIn(digits);
  return bucket === undefined ? undefined : { bucket, hash: sha256(token), family: sha256(family) };
}

/** A new client id of a bucket. */
export function makeClientId(bucket: number): string {
  return prefixOf("rc", bucket) + random(16);
}

/** The bucket in a client id; undefined where it cannot be one. */
export function bucketOfClient(clientId: string): number | undefined {
  return bucketIn(CLIENT_FORM.exec(clientId)?.[1]);
}

/** A new secret of an app: 256 random bits. */
export function makeSecret(): string {
  return `rs_${random(32)}`;
}

/**
 * The one access token by which an app asks for itself, as long as its secret and `seed` stay the same: whoever has the
 * secret gets the same token each time, and nobody can make it of what is stored.
 */
export function appToken(bucket: number, secret: string, seed: string): string {
  return prefixOf(PREFIX.access, bucket) + sha256(`${secret} ${seed}`);
}

/** The SHA-256 by which a secret is stored. */
export function hashSecret(secret: string): Buffer {
  return hash("sha256", secret, "buffer");
}

function bucketIn(digits: string | undefined): number | undefined {
  const bucket = Number.parseInt(digits ?? "", 16);
  return bucket < BUCKETS ? bucket : undefined;
}
