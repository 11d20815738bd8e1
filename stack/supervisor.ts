import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isAlive, startOf, stopAll, type Tracked } from "./processes.ts";
import type { ReaperMessage } from "./reaper.ts";

/** How a supervised process is started and stopped. */
export interface ProcessSpec {
  name: string;
  command: string;
  args: string[];
  /** The file that its output is appended to: a pipe would break, and stop it from ending well, when we are killed. */
  logFile: string;
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  uid?: number;
  gid?: number;
  signal: NodeJS.Signals;
  phase: number;
  graceMs: number;
}

/** Files that say that a data directory is in use: its lock, and the list of its processes. */
export interface GuardedFiles {
  lock: string;
  running: string;
}

/** Stops what a run left behind whose launcher and reaper were both killed. */
export async function stopLeftovers(running: string): Promise<void> {
  if (!existsSync(running)) return;
  // The cast: the file is written by the supervisor alone, whole, through rename(2).
  const processes = JSON.parse(readFileSync(running, "utf8")) as Tracked[];
  await stopAll(processes.filter(isAlive));
}

/** Starts processes such that none outlives this one, not even when this one is killed. */
export class Supervisor {
  readonly #tracked = new Map<number, Tracked>();
  #reaper: ChildProcess | undefined;
  #files: GuardedFiles | undefined;
  #stopped: Promise<void> | undefined;

  constructor() {
    this.#startReaper();
  }

  /** The reaper's pid: a data directory is free only when it has ended too. */
  get reaperPid(): number | undefined {
    return this.#reaper?.pid;
  }

  /** Whether everything is being stopped, or has been: an end is no surprise then. */
  get stopping(): boolean {
    return this.#stopped !== undefined;
  }

  /** Has the files kept up to date, and removed after the last process has been stopped. */
  guard(files: GuardedFiles): void {
    this.#files = files;
    this.#tell({ remove: Object.values(files) });
    this.#record();
  }

  /**
   * Starts a process in a session of its own, so that Ctrl-C on the terminal reaches only the launcher, which stops
   * everything in order.
   * @throws when the program cannot be started at all
   */
  async spawn(spec: ProcessSpec): Promise<{ child: ChildProcess; tracked: Tracked }> {
    if (this.#stopped !== undefined)
      throw new Error(`${spec.name}: not started, everything is being stopped`);
    const log = openSync(spec.logFile, "a", 0o600);
    const child = spawn(spec.command, spec.args, {
      cwd: spec.cwd,
      env: spec.env ?? process.env,
      uid: spec.uid,
      gid: spec.gid,
      detached: true,
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    if (child.pid === undefined) {
      const [error] = await once(child, "error");
      throw new Error(`${spec.name}: ${spec.command} does not start: ${(error as Error).message}`);
    }
    const { name, signal, phase, graceMs } = spec;
    const tracked: Tracked = {
      name,
      pid: child.pid,
      started: startOf(child.pid) ?? "",
      signal,
      phase,
      graceMs,
    };
    this.#tracked.set(tracked.pid, tracked);
    this.#tell({ add: tracked });
    this.#record();
    child.once("exit", () => {
      this.#tracked.delete(tracked.pid);
      this.#tell({ forget: tracked.pid });
      this.#record();
    });
    return { child, tracked };
  }

  /** Stops every process, phase by phase, then the reaper. Later spawns are refused. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    await stopAll([...this.#tracked.values()]);
    const reaper = this.#reaper;
    if (reaper === undefined || reaper.exitCode !== null || reaper.signalCode !== null) return;
    const ended = once(reaper, "exit");
    reaper.ref();
    reaper.stdin?.end();
    await ended;
  }

  #startReaper(): void {
    const reaper = spawn(process.execPath, [join(import.meta.dirname, "reaper.ts")], {
      detached: true,
      cwd: "/",
      stdio: ["pipe", "ignore", "inherit"],
    });
    this.#reaper = reaper;
    // Writing to a reaper that was killed fails; its successor is told everything again.
    reaper.stdin?.on("error", () => {});
    reaper.once("exit", () => {
      if (this.#stopped === undefined) this.#startReaper();
    });
    reaper.unref();
    if (this.#files !== undefined) this.#tell({ remove: Object.values(this.#files) });
    for (const tracked of this.#tracked.values()) this.#tell({ add: tracked });
  }

  #record(): void {
    if (this.#files === undefined || this.#stopped !== undefined) return;
    const { running } = this.#files;
    writeFileSync(`${running}.new`, JSON.stringify([...this.#tracked.values()]), { mode: 0o600 });
    renameSync(`${running}.new`, running);
  }

  #tell(message: ReaperMessage): void {
    this.#reaper?.stdin?.write(`${JSON.stringify(message)}\n`);
  }
}
