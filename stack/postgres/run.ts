import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Identity } from "./identity.ts";

const exec = promisify(execFile);

/**
 * Runs a short program as the identity and waits for its end. A failure of which every line matches `tolerated` is none.
 * @throws an error with the program's name and what it printed
 */
export async function run(
  identity: Identity,
  program: string,
  args: string[],
  tolerated?: RegExp,
): Promise<void> {
  const { command, args: all, ...options } = identity.command(program, args);
  try {
    await exec(command, all, {
      ...options,
      env: { ...process.env, LC_ALL: "C" },
      maxBuffer: 64 * 1024 * 1024,
    });
  } catch (error) {
    // The cast: execFile's errors carry what the program printed.
    const { stdout, stderr, message } = error as Error & { stdout?: string; stderr?: string };
    const printed = (stderr || stdout || message).trim();
    if (tolerated !== undefined && printed.split("\n").every((line) => tolerated.test(line))) return;
    throw new Error(`${program} failed: ${printed}`);
  }
}
