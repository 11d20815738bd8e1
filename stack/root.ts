import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

/** The project's root folder: the nearest one above this file that holds a package.json. */
export const ROOT = findRoot(import.meta.dirname);

/** Where fetched programs are kept: `ROOST_CACHE`, or `.cache/` in the project. */
export function cacheDir(): string {
  return process.env.ROOST_CACHE || join(ROOT, ".cache");
}

function findRoot(from: string): string {
  return existsSync(join(from, "package.json")) || dirname(from) === from ? from : findRoot(dirname(from));
}
