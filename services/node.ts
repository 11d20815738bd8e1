import { ServiceBroker, type ServiceSchema } from "moleculer";
import { readEnv, type ServiceName } from "../config/env.ts";
import { resourcesOf } from "../mixins/resources.ts";
import { brokerOptions } from "../moleculer.config.ts";

export interface RunningNode {
  broker: ServiceBroker;
  metricsPort: number;
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
  try {
    for (const name of checked.services) broker.createService((await factories[name]()).default(broker));
    await broker.start();
  } catch (error) {
    await broker.stop().catch(() => {});
    throw error;
  }
  return { broker, metricsPort: resourcesOf(broker).metricsPort, stop: () => broker.stop() };
}
