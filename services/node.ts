import { ServiceBroker, type ServiceSchema } from "moleculer";
import { type Env, readEnv, type ServiceName } from "../config/env.ts";
import { resourcesOf } from "../mixins/resources.ts";
import { brokerOptions } from "../moleculer.config.ts";

export interface RunningNode {
  broker: ServiceBroker;
  metricsPort: number;
  /** Where the gateway listens; undefined: it is not among the services. */
  port: number | undefined;
  stop(): Promise<void>;
}

type ServiceFactory = (broker: ServiceBroker) => ServiceSchema;

/** Loaded on demand: a process reads only the code of the services it hosts. */
const factories: Record<ServiceName, () => Promise<{ default: ServiceFactory }>> = {
  user: () => import("./user/user.service.ts"),
  graph: () => import("./graph/graph.service.ts"),
  tweet: () => import("./tweet/tweet.service.ts"),
  timeline: () => import("./timeline/timeline.service.ts"),
  gateway: () => import("./gateway/gateway.service.ts"),
};

/**
 * Starts a process's broker with the services that SERVICES names (all five by default). Throws EnvError, MigrationError
 * or a 503 where it cannot; nothing is left open then.
 */
export async function startNode(env: NodeJS.ProcessEnv = process.env): Promise<RunningNode> {
  const checked = readEnv(env);
  const broker = new ServiceBroker(brokerOptions(checked));
  silenceFailedStart(broker);
  try {
    for (const name of checked.services) broker.createService((await factories[name]()).default(broker));
    await broker.start();
  } catch (error) {
    await broker.stop().catch(() => {});
    throw nameThePort(error, checked);
  }
  const gateway = checked.services.includes("gateway")
    ? await import("./gateway/gateway.service.ts")
    : undefined;
  return {
    broker,
    metricsPort: resourcesOf(broker).metricsPort,
    port: gateway?.gatewayPort(broker),
    stop: () => broker.stop(),
  };
}

/** A port that is taken is named by the variable that chose it. */
function nameThePort(error: unknown, { host, port }: Env): unknown {
  if (!Error.isError(error) || !("code" in error) || error.code !== "EADDRINUSE") return error;
  const taken = "port" in error ? error.port : undefined;
  const variable = taken === port ? "PORT (npm start: --port)" : "METRICS_PORT";
  return new Error(`${variable}: ${host}:${taken} is in use by another process`);
}

/** What broker.start() throws is told by whoever called it: Moleculer logs it as well, with its stack. */
function silenceFailedStart({ logger }: ServiceBroker): void {
  const log = logger.error;
  logger.error = (...args: unknown[]) => {
    if (args[0] !== "Unable to start all services.") log(...args);
  };
}
