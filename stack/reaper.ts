/**
 * The process that survives a crash of the launcher. The launcher writes one JSON line per change on this process's
 * standard input; end of input means that the launcher is gone, however it died: what it left running is stopped and
 * its files that say "in use" are removed. After an orderly stop nothing is left to do.
 */
import { rmSync } from "node:fs";
import { createInterface } from "node:readline";
import { stopAll, type Tracked } from "./processes.ts";

/** What the launcher tells the reaper. */
export type ReaperMessage = { add: Tracked } | { forget: number } | { remove: string[] };

const tracked = new Map<number, Tracked>();
let files: string[] = [];

function apply(message: ReaperMessage): void {
  if ("add" in message) tracked.set(message.add.pid, message.add);
  else if ("forget" in message) tracked.delete(message.forget);
  else files = message.remove;
}

async function stopWhatIsLeft(): Promise<void> {
  await stopAll(tracked.values());
  for (const file of files) rmSync(file, { force: true });
  process.exit(0);
}

for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => {});
createInterface({ input: process.stdin })
  // The cast: only the launcher holds the other end of this pipe.
  .on("line", (line) => apply(JSON.parse(line) as ReaperMessage))
  .on("close", () => void stopWhatIsLeft());
