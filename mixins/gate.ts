import { unavailable } from "../services/contracts/errors.ts";

/** How much passes at a time, in all and of one who asks, and how long the rest waits for its turn, in ms. */
export interface GateLimits {
  atOnce: number;
  each?: number;
  waitMs: number;
}

/**
 * Lets some work through at a time, in the order in which it came, and sends away with a 503 what would wait for too long:
 * to begin it as well would put everything else back further. Who has enough under way lets others go first.
 */
export class Gate {
  readonly #what: string;
  readonly #limits: GateLimits;
  readonly #waiting = new Set<{ who: string | undefined; enter: () => void }>();
  readonly #running = new Map<string | undefined, number>();

  /** `what` is not available, says the 503. */
  constructor(what: string, limits: GateLimits) {
    this.#what = what;
    this.#limits = limits;
  }

  /** Runs `work`, of `who`, when its turn comes. Throws 503, without having begun it, where that is not in time. */
  async run<T>(work: () => Promise<T>, who?: string): Promise<T> {
    await this.#enter(who);
    try {
      return await work();
    } finally {
      this.#leave(who);
    }
  }

  async #enter(who: string | undefined): Promise<void> {
    if (this.#mayRun(who)) {
      this.#count(who, 1);
      return;
    }
    const turn = Promise.withResolvers<void>();
    const waiting = { who, enter: turn.resolve };
    this.#waiting.add(waiting);
    const timer = setTimeout(() => {
      this.#waiting.delete(waiting);
      turn.reject(unavailable(this.#what));
    }, this.#limits.waitMs);
    await turn.promise.finally(() => clearTimeout(timer));
  }

  #mayRun(who: string | undefined): boolean {
    const { atOnce, each = atOnce } = this.#limits;
    const all = [...this.#running.values()].reduce((sum, count) => sum + count, 0);
    return all < atOnce && (who === undefined || (this.#running.get(who) ?? 0) < each);
  }

  #count(who: string | undefined, more: 1 | -1): void {
    const count = (this.#running.get(who) ?? 0) + more;
    if (count > 0) this.#running.set(who, count);
    else this.#running.delete(who);
  }

  #leave(who: string | undefined): void {
    this.#count(who, -1);
    const next = [...this.#waiting].find((waiting) => this.#mayRun(waiting.who));
    if (!next) return;
    this.#waiting.delete(next);
    this.#count(next.who, 1);
    next.enter();
  }
}
