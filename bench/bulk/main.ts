import { UsageError } from "../../config/command-line.ts";
import { readTopologyFile, TopologyError } from "../../config/topology.ts";
import { requireCurrentSchema } from "../../mixins/shard-db/migrate.ts";
import { GraphError } from "../load/graph.ts";
import { NotEmpty } from "./bulk.repo.ts";
import { type FollowGraph, followGraph } from "./graph.ts";
import { bulkLoad } from "./load.ts";
import { type BulkCommand, parseBulkCommand, USAGE } from "./options.ts";
import { powerLawGraph } from "./power-law.ts";

const EXIT = { good: 0, bad: 1, usage: 2 } as const;
const BAD_INPUT = [UsageError, GraphError, TopologyError];

/** Makes or reads the graph and loads it. Returns the exit code. */
async function main(): Promise<number> {
  const command = parseBulkCommand(process.argv.slice(2), process.env);
  if (command === undefined) {
    console.log(USAGE);
    return EXIT.good;
  }
  const topology = readTopologyFile(command.topologyFile);
  await requireCurrentSchema(topology);
  const startedAt = performance.now();
  const graph = await graphOf(command);
  const seconds = () => ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(`${graph.people} users, ${graph.follower.length} follows (${seconds()} s)`);
  await bulkLoad(topology, { ...command, graph });
  console.log(`loaded in ${seconds()} s; everybody's password is ${command.password}`);
  return EXIT.good;
}

function graphOf({ source, seed }: BulkCommand): FollowGraph | Promise<FollowGraph> {
  return "graph" in source ? followGraph(source.graph, source) : powerLawGraph({ ...source, seed });
}

try {
  process.exitCode = await main();
} catch (error) {
  const hint = error instanceof NotEmpty ? ": --add loads beside what is there" : "";
  console.error(`bulk: ${Error.isError(error) ? error.message : String(error)}${hint}`);
  process.exitCode = BAD_INPUT.some((kind) => error instanceof kind) ? EXIT.usage : EXIT.bad;
}
