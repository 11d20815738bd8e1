/** ms that a write may take to reach a replica; for which a master without one is not waited for again. */
const REPLICATE_WITHIN = 250;
const ALONE_FOR = 1_000;

/** One master, as far as replication goes. */
export interface Master {
  wait(replicas: number, withinMs: number): Promise<number>;
}

/**
 * Tells whether what a connection wrote would survive the loss of a master: it has reached the master's replica, which so
 * has not been promoted, or, where no replica is to be had at the moment, the master is confirmed to be the one in charge
 * (a deposed master that still takes writes is not). Calls that come while one is under way share the next, so that many
 * pages of pushes cost one WAIT.
 */
export class ReplicationBarrier {
  readonly #masters: () => Master[];
  readonly #inCharge: () => Promise<boolean>;
  #running: Promise<boolean> | undefined;
  #next: Promise<boolean> | undefined;
  #aloneUntil = 0;

  constructor(masters: () => Master[], inCharge: () => Promise<boolean>) {
    this.#masters = masters;
    this.#inCharge = inCharge;
  }

  /** Whether everything written before this call is safe. Rejects where the master cannot be asked. */
  reached(): Promise<boolean> {
    if (!this.#running) return this.#start();
    this.#next ??= this.#running.then(
      () => this.#start(),
      () => this.#start(),
    );
    return this.#next;
  }

  #start(): Promise<boolean> {
    this.#next = undefined;
    this.#running = this.#ask().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #ask(): Promise<boolean> {
    return (await this.#replicated()) || this.#inCharge();
  }

  async #replicated(): Promise<boolean> {
    if (Date.now() < this.#aloneUntil) return false;
    const masters = this.#masters();
    const reached = await Promise.all(masters.map((master) => master.wait(1, REPLICATE_WITHIN)));
    if (masters.length > 0 && reached.every((count) => count >= 1)) return true;
    this.#aloneUntil = Date.now() + ALONE_FOR;
    return false;
  }
}
