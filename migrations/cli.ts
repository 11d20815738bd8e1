import { parseArgs } from "node:util";
import { readTopologyFile } from "../config/topology.ts";
import { migrate, migrationStatus } from "../mixins/shard-db/migrate.ts";

const USAGE =
  "usage: npm run migrate [-- status] [--topology-file FILE]   (default: TOPOLOGY_FILE or .roost/topology.json)";

try {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { "topology-file": { type: "string" }, help: { type: "boolean" } },
  });
  const [command = "up", ...rest] = positionals;
  if (values.help || rest.length > 0 || !["up", "status"].includes(command)) throw new Error(USAGE);
  const file = values["topology-file"] ?? process.env.TOPOLOGY_FILE ?? ".roost/topology.json";
  const topology = readTopologyFile(file);
  if (command === "up") await migrate(topology, (line) => console.log(line));
  for (const { shard, applied, pending, edited } of await migrationStatus(topology)) {
    const rest = [
      pending.length ? `pending ${pending.join(", ")}` : "up to date",
      ...edited.map((v) => `EDITED ${v}`),
    ];
    console.log(`${shard}: at ${applied.at(-1) ?? 0}, ${rest.join(", ")}`);
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
