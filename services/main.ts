import { startNode } from "./node.ts";

/** One process: starts the services of its environment, says so in one line of JSON, stops on SIGTERM or SIGINT. */
try {
  const node = await startNode();
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.once(signal, () => void node.stop().finally(() => process.exit(0)));
  }
  const { metricsPort, port } = node;
  console.log(JSON.stringify({ ready: true, nodeID: node.broker.nodeID, metricsPort, port }));
} catch (error) {
  // The logger writes what it still holds when the process exits; the reason is to be the last line.
  process.once("exit", () => console.error(Error.isError(error) ? error.message : String(error)));
  process.exit(1);
}
