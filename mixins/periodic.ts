/** Runs `work` every so often, and sooner when asked to; never twice at once. A failure is left to the next time. */
export class Periodic {
  readonly #everyMs: () => number;
  readonly #work: () => Promise<unknown>;
  #planned: { at: number; timer: NodeJS.Timeout } | undefined;
  #running: Promise<unknown> | undefined;
  /** Asked for while it was running: once more, right after. */
  #again = false;
  #stopped = true;

  /** `everyMs`: from the end of a run to the next. */
  constructor(everyMs: number | (() => number), work: () => Promise<unknown>) {
    this.#everyMs = typeof everyMs === "number" ? () => everyMs : everyMs;
    this.#work = work;
  }

  start(): void {
    this.#stopped = false;
    this.soon(this.#everyMs());
  }

  /** Runs after `delayMs`, unless that is planned sooner already. Does nothing while stopped. */
  soon(delayMs: number): void {
    const at = Date.now() + delayMs;
    if (this.#stopped || (this.#planned && this.#planned.at <= at)) return;
    clearTimeout(this.#planned?.timer);
    const timer = setTimeout(() => {
      this.#planned = undefined;
      this.#run();
    }, delayMs);
    this.#planned = { at, timer };
  }

  /** Stops and waits for a run that is under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#planned?.timer);
    this.#planned = undefined;
    await this.#running;
  }

  #run(): void {
    if (this.#running) {
      this.#again = true;
      return;
    }
    this.#running = this.#work()
      .catch(() => {})
      .finally(() => {
        const again = this.#again;
        this.#running = undefined;
        this.#again = false;
        this.soon(again ? 0 : this.#everyMs());
      });
  }
}
