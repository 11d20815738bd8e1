/** Runs `work` every `everyMs`, never twice at once; a failure is left to the next time. */
export class Periodic {
  readonly #everyMs: number;
  readonly #work: () => Promise<unknown>;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<unknown> = Promise.resolve();

  constructor(everyMs: number, work: () => Promise<unknown>) {
    this.#everyMs = everyMs;
    this.#work = work;
  }

  start(): void {
    this.#timer = setTimeout(() => {
      this.#running = this.#work()
        .catch(() => {})
        .finally(() => {
          if (this.#timer) this.start();
        });
    }, this.#everyMs);
  }

  /** Stops and waits for a run that is under way. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#running;
  }
}
