import { setTimeout as sleep } from "node:timers/promises";
import { lastLines, readFrom, sizeOf } from "./logs.ts";
import { isAlive, processesIn, signal, stopOne, type Tracked, waitForEnd } from "./processes.ts";
import { Restarter } from "./restarter.ts";
import type { ProcessSpec, Supervisor } from "./supervisor.ts";

/** A running server, as tests see it. */
export interface ServerHandle {
  readonly name: string;
  readonly port: number;
  /** The process that runs now, or ran last. */
  readonly pid: number;
  /**
   * Sends a signal at once (SIGKILL when none is named); does nothing when the server is down. SIGSTOP and SIGCONT reach
   * every process of the server: those that serve a connection would go on while their parent hangs.
   */
  kill(signal?: NodeJS.Signals): void;
  /** Stops the server where it runs, starts it again and waits until it answers. */
  restart(): Promise<void>;
}

/** What `Server` needs beside the process itself. */
export interface ServerSpec extends ProcessSpec {
  port: number;
  /** Whether the server answers; asked again and again until it does. */
  isReady: (pid: number) => Promise<boolean>;
  /** An end at start-up whose log matches is tried again: a killed predecessor has not let go yet. */
  retryWhen?: RegExp;
  /** Where all processes of the server, and no others, work. */
  directory?: string;
}

const READY_BOUND_MS = 60_000;
const POLL_MS = 15;
const AFTER_KILL_MS = 10_000;

/** One server process that can be started, broken and restarted. */
export class Server implements ServerHandle {
  readonly name: string;
  readonly port: number;
  readonly #supervisor: Supervisor;
  #spec: ServerSpec;
  #tracked: Tracked | undefined;
  #restarter: Restarter | undefined;
  /** How it ended since it was ready. */
  #end: string | undefined;
  /** Counts fences: a start that was under way before one must not come after it. */
  #fences = 0;

  constructor(supervisor: Supervisor, spec: ServerSpec) {
    this.#supervisor = supervisor;
    this.#spec = spec;
    this.name = spec.name;
    this.port = spec.port;
  }

  get pid(): number {
    if (this.#tracked === undefined) throw new Error(`${this.name} was never started`);
    return this.#tracked.pid;
  }

  get isRunning(): boolean {
    return this.#tracked !== undefined && isAlive(this.#tracked);
  }

  /** From now on the server is started again when it ends other than by `stop` or `restart`. */
  keepAlive(onProgress: (line: string) => void): void {
    const { name } = this;
    this.#restarter = new Restarter({
      name,
      supervisor: this.#supervisor,
      start: () => this.start(),
      onProgress,
    });
    if (this.#end !== undefined) this.#restarter.ended(`${name} ${this.#end}`, Date.now());
  }

  /**
   * Starts the process and waits until it answers.
   * @throws an error that names the server and shows the last lines of its log
   */
  async start(): Promise<void> {
    const deadline = Date.now() + READY_BOUND_MS;
    const fences = this.#fences;
    while (true) {
      const offset = sizeOf(this.#spec.logFile);
      if (fences !== this.#fences) throw new Error(`${this.name} was fenced`);
      const { child, tracked } = await this.#supervisor.spawn(this.#spec);
      this.#tracked = tracked;
      if (fences !== this.#fences) this.kill();
      this.#end = undefined;
      const startedAt = Date.now();
      let failure: string | undefined;
      let ready = false;
      child.once("exit", (code, name) => {
        failure = `ended with ${name ?? `code ${code}`}`;
        if (!ready) return;
        this.#end = failure;
        this.#restarter?.ended(`${this.name} ${failure}`, startedAt);
      });
      while (failure === undefined) {
        ready = (await this.#spec.isReady(tracked.pid)) && failure === undefined;
        if (ready) return;
        if (Date.now() > deadline) failure = `did not answer within ${READY_BOUND_MS / 1000} s`;
        else await sleep(POLL_MS);
      }
      const log = readFrom(this.#spec.logFile, offset);
      if (this.#spec.retryWhen?.test(log) !== true || Date.now() > deadline) {
        await stopOne(tracked);
        throw new Error(`${this.name} ${failure}, see ${this.#spec.logFile}:\n${lastLines(log)}`);
      }
      await sleep(10 * POLL_MS);
    }
  }

  /** Asks the server to end, and waits until it has; after `graceMs` milliseconds it is killed. */
  async stop(graceMs = this.#spec.graceMs): Promise<void> {
    this.#restarter?.retire();
    this.kill("SIGCONT");
    if (this.#tracked !== undefined) await stopOne({ ...this.#tracked, graceMs });
  }

  /**
   * Ends the server with every process of its own, a hanging one too. It is not kept alive any more; what was just
   * starting it again has failed.
   */
  async fence(): Promise<void> {
    this.#fences++;
    this.#restarter?.retire();
    const tracked = this.#tracked;
    if (tracked !== undefined) {
      // A parent that stands still starts no further process while they are counted.
      signal(tracked, "SIGSTOP");
      const others = this.#family();
      signal(tracked, "SIGKILL");
      for (const pid of others) killProcess(pid, "SIGKILL");
      await waitForEnd(tracked, AFTER_KILL_MS);
    }
    const deadline = Date.now() + AFTER_KILL_MS;
    for (let left = this.#family(); left.length > 0; left = this.#family()) {
      if (Date.now() > deadline) throw new Error(`${this.name} does not end: processes ${left.join(", ")}`);
      for (const pid of left) killProcess(pid, "SIGKILL");
      await sleep(POLL_MS);
    }
  }

  /** How it is stopped from its next start on: among the first of its stack, or among the last. */
  setPhase(phase: number): void {
    this.#spec = { ...this.#spec, phase };
  }

  kill(name: NodeJS.Signals = "SIGKILL"): void {
    if (this.#tracked !== undefined && isAlive(this.#tracked)) signal(this.#tracked, name);
    if (name === "SIGSTOP" || name === "SIGCONT") for (const pid of this.#family()) killProcess(pid, name);
  }

  #family(): number[] {
    return this.#spec.directory === undefined ? [] : processesIn(this.#spec.directory);
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }
}

function killProcess(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
