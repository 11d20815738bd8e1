import { setTimeout as sleep } from "node:timers/promises";
import { lastLines, readFrom, sizeOf } from "./logs.ts";
import { isAlive, signal, stopOne, type Tracked } from "./processes.ts";
import { Restarter } from "./restarter.ts";
import type { ProcessSpec, Supervisor } from "./supervisor.ts";

/** A running server, as tests see it. */
export interface ServerHandle {
  readonly name: string;
  readonly port: number;
  /** The process that runs now, or ran last. */
  readonly pid: number;
  /** Sends a signal at once (SIGKILL when none is named); does nothing when the server is down. */
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
}

const READY_BOUND_MS = 60_000;
const POLL_MS = 15;

/** One server process that can be started, broken and restarted. */
export class Server implements ServerHandle {
  readonly name: string;
  readonly port: number;
  readonly #spec: ServerSpec;
  readonly #supervisor: Supervisor;
  #tracked: Tracked | undefined;
  #restarter: Restarter | undefined;
  /** How it ended since it was ready. */
  #end: string | undefined;

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
    while (true) {
      const offset = sizeOf(this.#spec.logFile);
      const { child, tracked } = await this.#supervisor.spawn(this.#spec);
      this.#tracked = tracked;
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

  /** Asks the server to end, and waits until it has. */
  async stop(): Promise<void> {
    this.#restarter?.retire();
    if (this.#tracked !== undefined) await stopOne(this.#tracked);
  }

  kill(name: NodeJS.Signals = "SIGKILL"): void {
    if (this.#tracked !== undefined && isAlive(this.#tracked)) signal(this.#tracked, name);
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }
}
