import { hostname } from "node:os";
import type { BrokerOptions } from "moleculer";
import { type Env, readEnv } from "./config/env.ts";
import { actionMetrics } from "./mixins/action-metrics.ts";
import { resourcesMiddleware } from "./mixins/resources.ts";

/**
 * The broker of a process. Everything that an environment variable of the same name could override in
 * moleculer-runner is set here explicitly.
 */
export function brokerOptions(env: Env): BrokerOptions {
  return {
    namespace: env.namespace,
    nodeID: env.nodeId ?? `${hostname()}-${process.pid}`,
    logger: {
      type: "Pino",
      options: { level: env.logLevel, pino: { options: { base: { node: env.nodeId ?? process.pid } } } },
    },
    logLevel: env.logLevel,
    transporter: env.natsUrl ? { type: "NATS", options: natsOptions(env.natsUrl) } : null,
    serializer: "JSON",
    requestTimeout: 15_000,
    maxCallLevel: 10,
    heartbeatInterval: 2,
    heartbeatTimeout: 6,
    contextParamsCloning: false,
    tracking: { enabled: true, shutdownTimeout: 5_000 },
    registry: { strategy: "RoundRobin", preferLocal: true, discoverer: "Local" },
    validator: true,
    metrics: { enabled: false },
    tracing: { enabled: false },
    errorHandler: null,
    skipProcessEventRegistration: true,
    middlewares: [resourcesMiddleware(env), actionMetrics()],
  };
}

function natsOptions(url: string): Record<string, unknown> {
  const servers = url.split(",").map((part) => new URL(part));
  const [first] = servers;
  const user = decodeURIComponent(first?.username ?? "");
  const pass = decodeURIComponent(first?.password ?? "");
  return {
    servers: servers.map(({ host }) => host),
    ...(user && pass ? { user, pass } : user ? { token: user } : {}),
    ...(first?.protocol === "tls:" ? { tls: {} } : {}),
    timeout: 2_000,
    reconnectTimeWait: 250,
    pingInterval: 5_000,
    maxPingOut: 3,
  };
}

// moleculer-runner takes this: `moleculer-runner --config moleculer.config.ts services`.
export default function config(): BrokerOptions {
  return brokerOptions(readEnv());
}
