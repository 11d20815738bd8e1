import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { UsageError } from "../../config/command-line.ts";
import { readEnv } from "../../config/env.ts";
import { requireCurrentSchema } from "../../mixins/shard-db/migrate.ts";
import { auditCommand } from "./audit-command.ts";
import type { OperatorCommand, Task } from "./command.ts";
import { deadLettersCommand } from "./dead-letters.ts";
import { fanoutCommand } from "./fanout.ts";
import { shardsCommand } from "./shards/command.ts";

const COMMANDS: Record<string, OperatorCommand> = {
  audit: auditCommand,
  "dead-letters": deadLettersCommand,
  fanout: fanoutCommand,
  shards: shardsCommand,
};
const EXIT = { good: 0, usage: 2 } as const;
/** Where `npm start` keeps its data. */
const DATA_DIR = ".roost";

/** `node services/operator/cli.ts COMMAND …`; npm scripts of the same names call it. Returns the exit code. */
async function main([name = "", ...args]: string[]): Promise<number> {
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!command) return misused(`expected one of ${Object.keys(COMMANDS).join(", ")}, got "${name}"`);
  try {
    const task = command.read(args);
    if (task) return await run(task);
    console.log(command.usage);
    return EXIT.good;
  } catch (error) {
    if (error instanceof UsageError) return misused(`${error.message}\n\n${command.usage}`);
    console.error(Error.isError(error) ? error.message : String(error));
    return command.failed;
  }
}

async function run(task: Task): Promise<number> {
  const env = readEnv(environmentOf(task));
  await requireCurrentSchema(env.topology);
  return task.run(env);
}

/**
 * The environment, with the servers that the command is about: those that an option names, or else the environment, or else
 * those of `npm start`. Throws UsageError where nobody says so.
 */
function environmentOf({ topologyFile, dataDir }: Task): NodeJS.Dict<string> {
  if (topologyFile) return { ...process.env, TOPOLOGY_FILE: topologyFile };
  if (!dataDir && process.env.TOPOLOGY_FILE) return process.env;
  const file = join(dataDir ?? DATA_DIR, "env");
  if (existsSync(file)) {
    const servers = parseEnv(readFileSync(file, "utf8"));
    return dataDir ? { ...process.env, ...servers } : { ...servers, ...process.env };
  }
  throw new UsageError(
    `npm start writes its servers to ${file}, which is not there: give --data or --topology-file`,
  );
}

function misused(message: string): number {
  console.error(message);
  return EXIT.usage;
}

process.exitCode = await main(process.argv.slice(2));
