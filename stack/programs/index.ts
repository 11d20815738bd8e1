import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { fetchFromDebian } from "./debian.ts";

/** A program that can be started, with the environment it needs. */
export interface Program {
  command: string;
  env: NodeJS.ProcessEnv;
}

/** The servers that do not come from npm; PgBouncer is for tests. */
export type ProgramName = "redis-server" | "nats-server" | "pgbouncer";

/**
 * Finds a server program: on the PATH, else fetched from the Debian archive into the project's own cache.
 * `ROOST_NO_DOWNLOAD=1` forbids the fetching, `ROOST_NO_INSTALLED=1` the PATH. Undefined where there is none.
 */
export async function findProgram(
  name: ProgramName,
  onProgress: (line: string) => void,
): Promise<Program | undefined> {
  const installed = process.env.ROOST_NO_INSTALLED === "1" ? undefined : onPath(name);
  if (installed !== undefined) return { command: installed, env: process.env };
  return fetchFromDebian(name, { download: process.env.ROOST_NO_DOWNLOAD !== "1", onProgress });
}

function onPath(name: string): string | undefined {
  // nats-server is in sbin, which not every user has on the PATH.
  const directories = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"];
  return directories
    .filter((directory) => directory !== "")
    .map((directory) => join(directory, name))
    .find((file) => isExecutable(file));
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
