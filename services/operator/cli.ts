import { existsSync } from "node:fs";
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
/** Where `npm start` writes which servers it runs. */
const STACK_ENV = ".roost/env";

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
  if (!task.topologyFile && !process.env.TOPOLOGY_FILE && existsSync(STACK_ENV))
    process.loadEnvFile(STACK_ENV);
  const env = readEnv({ ...process.env, ...(task.topologyFile ? { TOPOLOGY_FILE: task.topologyFile } : {}) });
  await requireCurrentSchema(env.topology);
  return task.run(env);
}

function misused(message: string): number {
  console.error(message);
  return EXIT.usage;
}

process.exitCode = await main(process.argv.slice(2));
