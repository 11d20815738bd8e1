import { UsageError } from "../../config/command-line.ts";
import { renderStatus } from "../status.ts";
import { send } from "./client.ts";
import { parseCommandLine, USAGE } from "./commands.ts";

const EXIT = { failed: 1, usage: 2 } as const;

/** `npm run stack`. */
async function main(args: string[]): Promise<void> {
  const { command, dataDir, json } = parseCommandLine(args);
  if (command === undefined) return console.log(USAGE);
  const answer = await send(dataDir, args, (line) => console.log(`roost: ${line}`));
  if (json) console.log(JSON.stringify(answer));
  else if ("status" in answer) console.log(renderStatus(answer.status));
  else if ("urls" in answer) console.log(answer.urls.join("\n"));
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  console.error(Error.isError(error) ? error.message : String(error));
  if (error instanceof UsageError) console.error(`\n${USAGE}`);
  process.exitCode = error instanceof UsageError ? EXIT.usage : EXIT.failed;
}
