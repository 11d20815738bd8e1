import { unavailable } from "../services/contracts/errors.ts";

/** How much passes at a time, and how long the rest waits for its turn, in ms. */
export interface GateLimits {
  atOnce: number;
  waitMs: number;
}

/**
 * Lets some work through at a time, in the order in which it came, and sends away with a 503 what would wait for too long:
 * to begin it as well would put everything else back further.
 */
export class Gate {
  readonly #what: string;
  readonly #limits: GateLimits;
  readonly #waiting = new Set<() => void>();
  #running = 0;

  /** `what` is not available, says the 503. */
  constructor(what: string, limits: GateLimits) {
    this.#what = what;
    this.#limits = limits;
  }

  /** Runs `work` when its turn comes. Throws 503, without having begun it, where that is not in time. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    await this.#enter();
    try {
      return await work();
    } finally {
      this.#leave();
    }
  }

  async #enter(): Promise<void> {
    const { atOnce, waitMs } = this.#limits;
    if (this.#running < atOnce) {
      this.#running++;
      return;
    }
    const turn = Promise.withResolvers<void>();
    this.#waiting.add(turn.resolve);
    const timer = setTimeout(() => {
      this.#waiting.delete(turn.resolve);
      turn.reject(unavailable(this.#what));
    }, waitMs);
    await turn.promise.finally(() => clearTimeout(timer));
  }

  #leave(): void {
    const [next] = this.#waiting;
    if (next) {
      this.#waiting.delete(next);
      next();
    } else this.#running--;
  }
}
