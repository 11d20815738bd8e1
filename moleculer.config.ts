import { hostname } from "node:os";
import type { BrokerOptions } from "moleculer";
import { type Env, readEnv } from "./config/env.ts";
import { actionMetrics } from "./mixins/action-metrics.ts";
import { natsOptions } from "./mixins/nats.ts";
import { resourcesMiddleware } from "./mixins/resources.ts";
import { sessionTravel } from "./mixins/session-travel.ts";

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
    middlewares: [resourcesMiddleware(env), actionMetrics(), sessionTravel()],
  };
}

// moleculer-runner takes this: `moleculer-runner --config moleculer.config.ts services`.
export default function config(): BrokerOptions {
  return brokerOptions(readEnv());
}
