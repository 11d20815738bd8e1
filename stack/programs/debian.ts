/**
 * Programs from the Debian or Ubuntu archive, without root and without touching the system: the package lists, the
 * packages and what is in them go to the project's own cache.
 */
import { execFile } from "node:child_process";
import { cpSync, existsSync, globSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { cacheDir } from "../root.ts";
import type { Program, ProgramName } from "./index.ts";

const exec = promisify(execFile);

/** redis-check-rdb is redis-server under another name, in a package that starts no service when it is unpacked. */
const SOURCES: Record<ProgramName, { package: string; file: string }> = {
  "redis-server": { package: "redis-tools", file: "usr/bin/redis-check-rdb" },
  "nats-server": { package: "nats-server", file: "usr/sbin/nats-server" },
  pgbouncer: { package: "pgbouncer", file: "usr/sbin/pgbouncer" },
};

const BOUND_MS = 120_000;

let listsAreFresh: Promise<void> | undefined;

/** The program from the cache, where `download` allows after fetching it; undefined when it cannot be had. */
export async function fetchFromDebian(
  name: ProgramName,
  options: { download: boolean; onProgress: (line: string) => void },
): Promise<Program | undefined> {
  if (process.platform !== "linux" || !existsSync("/etc/debian_version")) return undefined;
  const source = SOURCES[name];
  const target = join(cacheDir(), `${source.package}-${process.arch}`);
  if (!existsSync(target)) {
    if (!options.download) return undefined;
    options.onProgress(`fetching ${name} from the Debian archive`);
    try {
      await unpack(source, name, target);
    } catch (error) {
      // The cast: execFile's errors carry what the program printed.
      const { stderr, message } = error as Error & { stderr?: string };
      const said = (stderr ?? "").split("\n").find((line) => line.startsWith("E:")) ?? message.split("\n")[0];
      options.onProgress(`${name} could not be fetched: ${said}`);
      return undefined;
    }
  }
  const libraries = globSync(join(target, "{usr/,}lib/*-linux-*"));
  const env = {
    ...process.env,
    LD_LIBRARY_PATH: [...libraries, process.env.LD_LIBRARY_PATH].filter(Boolean).join(":"),
  };
  return { command: join(target, source.file, "..", name), env };
}

async function unpack(
  source: { package: string; file: string },
  name: string,
  target: string,
): Promise<void> {
  const work = `${target}.${process.pid}`;
  const debs = join(work, "debs");
  const root = join(work, "root");
  mkdirSync(debs, { recursive: true });
  mkdirSync(root);
  try {
    listsAreFresh ??= updateLists();
    await listsAreFresh;
    await apt(["download", ...(await missingPackages(source.package))], debs);
    for (const deb of readdirSync(debs))
      await exec("dpkg", ["-x", join(debs, deb), root], { timeout: BOUND_MS });
    const program = join(root, source.file, "..", name);
    if (!existsSync(program)) cpSync(join(root, source.file), program);
    rmSync(target, { recursive: true, force: true });
    renameSync(root, target);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** The package and those of its dependencies that this system has not installed. */
async function missingPackages(name: string): Promise<string[]> {
  const plan = await apt(["-s", "-o", "Debug::NoLocking=1", "--no-install-recommends", "install", name]);
  const planned = [...plan.matchAll(/^Inst (\S+)/gm)].map((match) => match[1] ?? "");
  return [...new Set([name, ...planned])];
}

async function updateLists(): Promise<void> {
  mkdirSync(join(cacheDir(), "apt", "lists", "partial"), { recursive: true });
  mkdirSync(join(cacheDir(), "apt", "archives", "partial"), { recursive: true });
  await apt(["update"]);
}

async function apt(args: string[], cwd?: string): Promise<string> {
  const own = join(cacheDir(), "apt");
  const options = [`Dir::State::lists=${join(own, "lists")}`, `Dir::Cache=${own}`];
  // As root, apt fetches as the user _apt, who may not be able to enter the cache.
  if (process.getuid?.() === 0) options.push("APT::Sandbox::User=root");
  const all = [...options.flatMap((option) => ["-o", option]), ...args];
  const { stdout } = await exec("apt-get", all, {
    cwd,
    timeout: BOUND_MS,
    env: { ...process.env, LC_ALL: "C" },
  });
  return stdout;
}
