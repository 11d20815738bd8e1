import { setTimeout as sleep } from "node:timers/promises";

/** How much a queue does at a time, and how long who asks waits for it, in ms. */
export interface BuildQueueLimits {
  atOnce: number;
  waitMs: number;
}

/**
 * Builds of what Redis lacks, in this process: at most `atOnce` at a time, in the order in which they were asked for, so
 * that many cold reads leave Postgres and its connections to others too. Who asks for a build that is queued or under way
 * shares it (after Go's singleflight).
 */
export class BuildQueue {
  readonly #limits: BuildQueueLimits;
  readonly #shared = new Map<string, Promise<boolean>>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(limits: BuildQueueLimits) {
    this.#limits = limits;
  }

  /**
   * Runs `build`, or shares the one of that name, and answers what it answers; undefined where that is not in time, while
   * the build goes on. Rejects as the build does.
   */
  async run(name: string, build: () => Promise<boolean>): Promise<boolean | undefined> {
    const shared = this.#shared.get(name) ?? this.#enqueue(name, build);
    const patience = new AbortController();
    try {
      const tooLate = sleep(this.#limits.waitMs, undefined, { signal: patience.signal, ref: false });
      return await Promise.race([shared, tooLate]);
    } finally {
      patience.abort();
    }
  }

  #enqueue(name: string, build: () => Promise<boolean>): Promise<boolean> {
    const shared = this.#turn(build).finally(() => this.#shared.delete(name));
    // Its failure is told to those who still wait for it.
    shared.catch(() => {});
    this.#shared.set(name, shared);
    return shared;
  }

  async #turn(build: () => Promise<boolean>): Promise<boolean> {
    if (this.#running < this.#limits.atOnce) this.#running++;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await build();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running--;
    }
  }
}
