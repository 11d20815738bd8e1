import { BUCKETS, readTopologyFile, type Topology } from "./topology.ts";

export const SERVICE_NAMES = ["user", "graph", "tweet", "timeline", "gateway"] as const;
export type ServiceName = (typeof SERVICE_NAMES)[number];

const LOG_LEVELS = ["fatal", "error", "warn", "info", "debug", "trace"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Who is pulled: the cheaper way for each author, nobody, everybody, or authors with more followers than the number. */
export type FanoutPolicy = "cost" | "push" | "pull" | number;

/** What a process takes from its environment, checked once. */
export interface Env {
  port: number;
  /** Address that the gateway and the metrics listen on. */
  host: string;
  /** undefined: the first free port from 9464 up. */
  metricsPort: number | undefined;
  natsUrl: string | undefined;
  redisUrl: string | undefined;
  redisPrefix: string;
  /** Nodes of one namespace find each other; others on the same NATS do not. */
  namespace: string;
  topology: Topology;
  services: ServiceName[];
  logLevel: LogLevel;
  nodeId: string | undefined;
  /** Multiplies every rate limit; 0 switches them off. */
  rateLimitFactor: number;
  /** Proxies in front of the gateway whose X-Forwarded-For entries are believed. */
  trustedProxies: number;
  /** Origins whose pages may call the API from a browser; "*": all. */
  corsOrigins: string[];
  fanoutPolicy: FanoutPolicy;
  /** A stored list is built anew after this time (ms). The same for all processes. */
  homeListMaxAgeMs: number;
  /** Followers to a page of fan-out: after each page a job stores how far it has come and lets others pass. */
  fanoutPage: number;
  /** A replica that is further behind serves no reads. */
  replicaMaxLagMs: number;
  /** At least 4: a drain of each kind holds one. Connections per shard and process to the primary for transactions, and again for reads. */
  poolSize: number;
  /** Whether statements are prepared by name. */
  prepare: boolean;
  reusePort: boolean;
}

/** A configuration mistake, named in one line by the variable that holds it. */
export class EnvError extends Error {
  override name = "EnvError";
}

function integer(env: NodeJS.ProcessEnv, name: string, fallback: number, min: number, max: number): number {
  const raw = env[name];
  if (raw === undefined || raw === "") return fallback;
  const value = Number(raw);
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new EnvError(`${name}: expected a whole number from ${min} to ${max}, got "${raw}"`);
  }
  return value;
}

function oneOf<T extends string>(env: NodeJS.ProcessEnv, name: string, known: readonly T[], fallback: T): T {
  const raw = env[name] || fallback;
  const found = known.find((value) => value === raw);
  if (!found) throw new EnvError(`${name}: expected one of ${known.join(", ")}, got "${raw}"`);
  return found;
}

function url(env: NodeJS.ProcessEnv, name: string, schemes: readonly string[]): string | undefined {
  const raw = env[name];
  if (!raw) return undefined;
  for (const part of raw.split(",")) {
    if (
      !schemes.some((scheme) =>
        part.trim().includes("://") ? part.trim().startsWith(`${scheme}://`) : raw.includes("://"),
      )
    ) {
      throw new EnvError(`${name}: expected ${schemes.map((scheme) => `${scheme}://`).join(" or ")}`);
    }
  }
  return raw;
}

function services(env: NodeJS.ProcessEnv): ServiceName[] {
  if (env.SERVICES === undefined) return [...SERVICE_NAMES];
  return env.SERVICES.split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "")
    .map((name) => oneOf({ SERVICES: name }, "SERVICES", SERVICE_NAMES, "user"));
}

function fanoutPolicy(env: NodeJS.ProcessEnv): FanoutPolicy {
  const raw = env.FANOUT_POLICY || "cost";
  if (raw === "cost" || raw === "push" || raw === "pull") return raw;
  if (/^\d{1,9}$/.test(raw)) return Number(raw);
  throw new EnvError(`FANOUT_POLICY: expected cost, push, pull or a number of followers, got "${raw}"`);
}

function corsOrigins(env: NodeJS.ProcessEnv): string[] {
  const origins = (env.CORS_ORIGINS ?? "").split(",").map((origin) => origin.trim());
  return origins
    .filter((origin) => origin !== "")
    .map((origin) => {
      if (origin === "*" || (/^https?:[^*]+$/.test(origin) && URL.parse(origin)?.origin === origin))
        return origin;
      throw new EnvError(`CORS_ORIGINS: expected origins like https://app.example, or *, got "${origin}"`);
    });
}

function topology(env: NodeJS.ProcessEnv): Topology {
  if (!env.TOPOLOGY_FILE) throw new EnvError("TOPOLOGY_FILE: expected the path of the topology file");
  try {
    return readTopologyFile(env.TOPOLOGY_FILE);
  } catch (error) {
    throw new EnvError(`TOPOLOGY_FILE: ${Error.isError(error) ? error.message : String(error)}`);
  }
}

/** Reads and checks the whole environment. Throws EnvError, one line that names the variable. */
export function readEnv(env: NodeJS.ProcessEnv = process.env): Env {
  const factor = Number(env.RATE_LIMIT_FACTOR || 1);
  if (!Number.isFinite(factor) || factor < 0) {
    throw new EnvError(`RATE_LIMIT_FACTOR: expected a number from 0 up, got "${env.RATE_LIMIT_FACTOR}"`);
  }
  return {
    port: integer(env, "PORT", 3000, 0, 65_535),
    host: env.HOST || "127.0.0.1",
    metricsPort: env.METRICS_PORT ? integer(env, "METRICS_PORT", 9464, 0, 65_535) : undefined,
    natsUrl: url(env, "NATS_URL", ["nats", "tls"]),
    redisUrl: url(env, "REDIS_URL", ["redis", "rediss", "redis+sentinel", "rediss+sentinel"]),
    namespace: env.NAMESPACE || "roost",
    redisPrefix: env.REDIS_PREFIX ?? "roost:",
    topology: topology(env),
    services: services(env),
    logLevel: oneOf(env, "LOG_LEVEL", LOG_LEVELS, "info"),
    nodeId: env.NODE_ID || undefined,
    rateLimitFactor: factor,
    trustedProxies: integer(env, "TRUSTED_PROXIES", 0, 0, 16),
    corsOrigins: corsOrigins(env),
    fanoutPolicy: fanoutPolicy(env),
    homeListMaxAgeMs: 1_000 * integer(env, "HOME_LIST_MAX_AGE_S", 86_400, 1, 30 * 86_400),
    fanoutPage: integer(env, "FANOUT_PAGE", 1_000, 1, 10_000),
    replicaMaxLagMs: integer(env, "REPLICA_MAX_LAG_MS", 5_000, 100, 15_000),
    poolSize: integer(env, "PG_POOL_SIZE", 10, 4, 200),
    prepare: oneOf(env, "PG_PREPARE", ["0", "1"], "1") === "1",
    reusePort: env.REUSE_PORT === "1",
  };
}

export { BUCKETS };
