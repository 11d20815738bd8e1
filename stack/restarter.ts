import type { Supervisor } from "./supervisor.ts";

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
const SETTLED_AFTER_MS = 60_000;

/** Starts a process again, ever more slowly, when it ends by itself, and says so line by line. */
export class Restarter {
  readonly #name: string;
  readonly #supervisor: Supervisor;
  readonly #start: () => Promise<unknown>;
  readonly #onProgress: (line: string) => void;
  #retired = false;
  #pauseMs = FIRST_PAUSE_MS;

  constructor(options: {
    name: string;
    supervisor: Supervisor;
    /** Resolves once the process is ready; rejects with an error that names it where it ends before that. */
    start: () => Promise<unknown>;
    onProgress: (line: string) => void;
  }) {
    this.#name = options.name;
    this.#supervisor = options.supervisor;
    this.#start = options.start;
    this.#onProgress = options.onProgress;
  }

  /** The end of the process is no longer a surprise. */
  retire(): void {
    this.#retired = true;
  }

  /** Takes note that the process, started at `startedAt`, has ended after it was ready; `end` says which, and how. */
  ended(end: string, startedAt: number): void {
    if (this.#isOver()) return;
    if (Date.now() - startedAt > SETTLED_AFTER_MS) this.#pauseMs = FIRST_PAUSE_MS;
    this.#onProgress(`${end}; starting it again in ${this.#pauseMs / 1000} s`);
    setTimeout(() => void this.#restart(), this.#pauseMs).unref();
    this.#pauseMs = Math.min(2 * this.#pauseMs, LONGEST_PAUSE_MS);
  }

  async #restart(): Promise<void> {
    if (this.#isOver()) return;
    try {
      await this.#start();
      this.#onProgress(`${this.#name} is back`);
    } catch (error) {
      const [line = ""] = (Error.isError(error) ? error.message : String(error)).split("\n");
      this.ended(line.replace(/:$/, ""), Date.now());
    }
  }

  #isOver(): boolean {
    return this.#retired || this.#supervisor.stopping;
  }
}
