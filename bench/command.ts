/** What the commands here have in common: how they end. */
import { UsageError } from "../config/command-line.ts";
import { TopologyError } from "../config/topology.ts";
import { GraphError } from "./load/graph.ts";

export const EXIT = { good: 0, bad: 1, usage: 2, interrupted: 130 } as const;

const BAD_INPUT = [UsageError, GraphError, TopologyError];

const told = new AbortController();

/** Aborted once the process is told to end. */
export const stopping: AbortSignal = told.signal;

/**
 * Runs a command and ends the process with the exit code that `main` returns; where it throws, after a line that says why.
 * SIGINT, SIGTERM and SIGHUP abort `stopping`. `usage` is shown where the arguments make no sense.
 */
export async function runCommand(name: string, main: () => Promise<number>, usage?: string): Promise<never> {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => told.abort());
  const code = await main().catch((error: unknown) => {
    if (stopping.aborted) return EXIT.interrupted;
    console.error(`${name}: ${Error.isError(error) ? error.message : String(error)}`);
    if (usage !== undefined && error instanceof UsageError) console.error(usage);
    return BAD_INPUT.some((kind) => error instanceof kind) ? EXIT.usage : EXIT.bad;
  });
  process.exit(code);
}
