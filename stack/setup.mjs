/**
 * Installs what `package-lock.json` names, when it is not installed yet. Runs before every npm script that needs it, on
 * the Node that the machine has (20 or later), with nothing but that Node's built-ins; an unchanged installation costs
 * one hash.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, lstatSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const OLDEST_NODE = 20;
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, "node_modules");
const lockFile = join(root, "package-lock.json");
const stamp = join(modules, ".roost-setup");

/** Whether each package of the lock file is there in its version; those for other platforms may be missing. */
function isInstalled(lock) {
  const list = join(modules, ".package-lock.json");
  if (!existsSync(list)) return false;
  const installed = JSON.parse(readFileSync(list, "utf8")).packages;
  return Object.entries(JSON.parse(lock).packages).every(([path, { version, optional, devOptional }]) => {
    const found = installed[path];
    return path === "" || (found === undefined ? optional || devOptional : found.version === version);
  });
}

/** npm as it runs this script, else the one on the PATH. */
function npm(...args) {
  const script = process.env.npm_execpath;
  const node = process.env.npm_node_execpath ?? process.execPath;
  const [command, all] = script?.endsWith(".js") ? [node, [script, ...args]] : ["npm", args];
  // Standard output is for the script that runs next, such as the one JSON line of a benchmark.
  return spawnSync(command, all, { cwd: root, stdio: ["ignore", 2, 2] });
}

function fail(message) {
  console.error(`roost: ${message}`);
  process.exit(1);
}

if (Number.parseInt(process.versions.node.split(".")[0], 10) < OLDEST_NODE) {
  fail(`Node ${OLDEST_NODE} or later is needed, this is ${process.versions.node}`);
}
if (!existsSync(lockFile)) fail(`${lockFile} is missing: this is not a complete clone`);
const lock = readFileSync(lockFile);
const hash = createHash("sha256").update(lock).digest("hex");
const isCurrent = existsSync(stamp) && readFileSync(stamp, "utf8") === hash;

if (!isCurrent) {
  if (!isInstalled(lock)) {
    if (lstatSync(modules, { throwIfNoEntry: false })?.isSymbolicLink()) {
      fail(`${modules} is a link, and npm ci would empty what it leads to: install the packages there`);
    }
    console.error("roost: installing packages (npm ci), once per change of package-lock.json");
    const result = npm("ci", "--loglevel=error", "--no-audit", "--no-fund");
    if (result.error) fail(`npm does not start: ${result.error.message}`);
    if (result.status !== 0) fail("npm ci failed, see its output above");
  }
  const node = spawnSync(join(modules, ".bin", "node"), ["--version"], { encoding: "utf8" });
  if (node.status !== 0) {
    fail(
      "the project's own Node did not get installed: npm's install scripts must be allowed (npm config get ignore-scripts)",
    );
  }
  writeFileSync(stamp, hash);
}
