import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, readlinkSync, realpathSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** A process that must not outlive its launcher, and how it is to be stopped. */
export interface Tracked {
  name: string;
  pid: number;
  /** Tells a process from a later one that was given the same pid. */
  started: string;
  /** The signal that asks for a clean shutdown. */
  signal: NodeJS.Signals;
  /** Lower phases are stopped first, and are gone before the next phase is asked. */
  phase: number;
  /** How long a clean shutdown may take, in milliseconds, before SIGKILL. */
  graceMs: number;
}

/** The order in which a stack goes down: a client before the server it talks to. */
export const PHASE = { services: 0, redisSentinel: 1, backends: 2, postgresStandby: 3 } as const;

const POLL_MS = 20;
const AFTER_KILL_MS = 10_000;

/** The moment a process started, in the system's own notation; undefined when no such process runs. */
export function startOf(pid: number): string | undefined {
  if (process.platform === "linux") {
    const stat = statFields(pid);
    return stat === undefined || stat.state === "Z" ? undefined : stat.started;
  }
  const line = spawnSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" }).stdout;
  return line?.trim() || undefined;
}

/** Whether this very process, not another that got its pid, still runs. A zombie does not. */
export function isAlive(process_: { pid: number; started: string }): boolean {
  try {
    process.kill(process_.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  return startOf(process_.pid) === process_.started;
}

/** Sends a signal unless the process is gone. */
export function signal(process_: { pid: number; started: string }, name: NodeJS.Signals): void {
  if (!isAlive(process_)) return;
  try {
    process.kill(process_.pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Resolves to true once the process is gone, or to false after `boundMs` milliseconds. */
export async function waitForEnd(process_: Tracked, boundMs: number): Promise<boolean> {
  const deadline = Date.now() + boundMs;
  while (isAlive(process_)) {
    if (Date.now() > deadline) return false;
    await sleep(POLL_MS);
  }
  return true;
}

/** The processes whose working directory this is, whoever started them. */
export function processesIn(path: string): number[] {
  if (!existsSync(path)) return [];
  const directory = realpathSync(path);
  if (process.platform !== "linux") {
    const { stdout } = spawnSync("lsof", ["-a", "-d", "cwd", "-t", directory], { encoding: "utf8" });
    return (stdout ?? "").split("\n").filter(Boolean).map(Number);
  }
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && workingDirectory(name) === directory)
    .map(Number);
}

/** Stops one process: its own signal first, SIGKILL when it has not ended within its grace. */
export async function stopOne(process_: Tracked): Promise<void> {
  signal(process_, process_.signal);
  // A stopped (SIGSTOP) process would keep the signal pending until its grace is over.
  signal(process_, "SIGCONT");
  if (await waitForEnd(process_, process_.graceMs)) return;
  signal(process_, "SIGKILL");
  await waitForEnd(process_, AFTER_KILL_MS);
}

/** Stops all processes phase by phase, those of one phase at the same time. */
export async function stopAll(processes: Iterable<Tracked>): Promise<void> {
  const byPhase = Map.groupBy(processes, (each) => each.phase);
  for (const phase of [...byPhase.keys()].sort((a, b) => a - b)) {
    await Promise.all((byPhase.get(phase) ?? []).map(stopOne));
  }
}

function statFields(pid: number): { state: string; started: string } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The command, in parentheses, may itself hold blanks and parentheses.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [state, started] = [fields[0], fields[19]];
    return state === undefined || started === undefined ? undefined : { state, started };
  } catch {
    return undefined;
  }
}

/** undefined for a process that is gone, a zombie, or somebody else's. */
function workingDirectory(pid: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return undefined;
  }
}
