import { startNode } from "./node.ts";

/** One process: starts the services of its environment, says so in one line of JSON, stops on SIGTERM or SIGINT. */
try {
  const node = await startNode();
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.once(signal, () => void node.stop().finally(() => process.exit(0)));
  }
  const port = Number(process.env.PORT || 3000);
  console.log(
    JSON.stringify({ ready: true, nodeID: node.broker.nodeID, metricsPort: node.metricsPort, port }),
  );
} catch (error) {
  console.error(Error.isError(error) ? error.message : String(error));
  process.exit(1);
}
