import { readFileSync } from "node:fs";

export const BUCKETS = 1024;

/** An inclusive range of buckets. */
export type BucketRange = readonly [first: number, last: number];

/** One shard as the topology file names it: where its Postgres servers are, and the buckets it starts with. */
export interface ShardConfig {
  name: string;
  primary: string;
  replicas: string[];
  buckets: BucketRange[];
}

export interface Topology {
  shards: ShardConfig[];
}

export class TopologyError extends Error {
  override name = "TopologyError";
}

const isRange = (value: unknown): value is BucketRange =>
  Array.isArray(value) &&
  value.length === 2 &&
  value.every((n) => Number.isInteger(n) && n >= 0 && n < BUCKETS) &&
  value[0] <= value[1];

const isPostgresUrl = (value: unknown): value is string =>
  typeof value === "string" && /^postgres(ql)?:\/\//.test(value) && URL.canParse(value);

function parseShard(raw: unknown, at: string): ShardConfig {
  const shard: Record<string, unknown> = typeof raw === "object" && raw !== null ? { ...raw } : {};
  const { name, primary, replicas = [], buckets } = shard;
  if (typeof name !== "string" || !/^[a-z0-9_-]{1,32}$/.test(name)) {
    throw new TopologyError(`${at}.name: expected 1-32 of a-z, 0-9, _ and -`);
  }
  if (!isPostgresUrl(primary)) throw new TopologyError(`${at}.primary: expected a postgres:// URL`);
  if (!Array.isArray(replicas) || !replicas.every(isPostgresUrl)) {
    throw new TopologyError(`${at}.replicas: expected a list of postgres:// URLs`);
  }
  if (!Array.isArray(buckets) || !buckets.every(isRange)) {
    throw new TopologyError(`${at}.buckets: expected a list of [first, last] within 0-${BUCKETS - 1}`);
  }
  return { name, primary, replicas, buckets };
}

/**
 * Checks a parsed topology document: every shard well-formed and named once, every bucket on exactly one shard.
 * Throws TopologyError, which names the place.
 */
export function parseTopology(raw: unknown): Topology {
  const list = typeof raw === "object" && raw !== null && "shards" in raw ? raw.shards : undefined;
  if (!Array.isArray(list) || list.length === 0) throw new TopologyError("shards: expected a non-empty list");
  const shards = list.map((shard, i) => parseShard(shard, `shards[${i}]`));
  const names = new Set(shards.map((shard) => shard.name));
  if (names.size !== shards.length) throw new TopologyError("shards: a name is used twice");
  const owners = new Array<number>(BUCKETS).fill(0);
  for (const [first, last] of shards.flatMap((shard) => shard.buckets)) {
    for (let bucket = first; bucket <= last; bucket++) owners[bucket] = (owners[bucket] ?? 0) + 1;
  }
  const wrong = owners.findIndex((count) => count !== 1);
  if (wrong >= 0) {
    throw new TopologyError(
      `bucket ${wrong} is on ${owners[wrong]} shards: every bucket belongs to exactly one`,
    );
  }
  return { shards };
}

/** Reads and checks the topology file. Throws TopologyError naming the file and the fault. */
export function readTopologyFile(path: string): Topology {
  try {
    return parseTopology(JSON.parse(readFileSync(path, "utf8")));
  } catch (error) {
    const reason = Error.isError(error) ? error.message : String(error);
    throw new TopologyError(`${path}: ${reason.replace(/\s+/g, " ")}`);
  }
}
