import { hash } from "node:crypto";
import { BUCKETS } from "../../config/topology.ts";

/** Twitter's own epoch: with it every id has 19 digits until 2080, so ids sort as strings everywhere. */
export const ID_EPOCH_MS = 1_288_834_974_657;

/** Redis partitions: a hash tag each, so that one script can serve many users of a partition. */
export const PARTITIONS = 256;

/** A decimal string that may be an id: a positive 63-bit number without leading zeros. */
export function isId(value: unknown): value is string {
  return (
    typeof value === "string" && /^[1-9][0-9]{0,18}$/.test(value) && BigInt(value) <= 0x7fff_ffff_ffff_ffffn
  );
}

/** The bucket (0–1023) inside an id. On every hot path, so without BigInt: the low 22 bits in two exact halves. */
export function bucketOf(id: string): number {
  const high = Number(id.slice(0, -9)) % 0x40_0000;
  const low = Number(id.slice(-9));
  return Math.floor(((high * (1_000_000_000 % 0x40_0000) + low) % 0x40_0000) / 4096);
}

/** The bucket of a handle, whatever its case. The user's id carries the same bucket. */
export function bucketOfHandle(username: string): number {
  return Number.parseInt(hash("sha256", username.toLowerCase(), "hex").slice(0, 8), 16) % BUCKETS;
}

/** The Redis partition (0–255) of an id. */
export function partitionOf(id: string): number {
  return bucketOf(id) >> 2;
}

/** When an id was made, in ms since 1970. */
export function idTimeMs(id: string): number {
  return Number(BigInt(id) >> 22n) + ID_EPOCH_MS;
}

/** When an id was made, as ISO 8601. */
export function idTime(id: string): string {
  return new Date(idTimeMs(id)).toISOString();
}

/** The least id that may be made at a time (ms since 1970); "0" for times before all ids. */
export function firstIdAt(ms: number): string {
  return String(BigInt(Math.max(0, Math.ceil(ms) - ID_EPOCH_MS)) << 22n);
}

/** The id before this one. */
export function idBefore(id: string): string {
  return String(BigInt(id) - 1n);
}

/** The id after this one. */
export function idAfter(id: string): string {
  return String(BigInt(id) + 1n);
}

/** Orders ids, newest first. Ids of fewer digits, which only a client can send, are older. */
export function newestFirst(a: string, b: string): number {
  if (a.length !== b.length) return b.length - a.length;
  return a < b ? 1 : a > b ? -1 : 0;
}
