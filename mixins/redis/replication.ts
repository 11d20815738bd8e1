/** ms that a write may take to reach a replica, and for which an answer about the master holds. */
const REPLICATE_WITHIN = 250;
const TRUST_FOR = 1_000;

/** One master, as far as replication goes. */
export interface Master {
  wait(replicas: number, withinMs: number): Promise<number>;
}

/**
 * Tells whether what a connection wrote would survive the loss of a master: it has reached a replica, or, where no replica
 * is to be had at the moment, the master is confirmed to be the one in charge (a deposed master that still takes writes is
 * not). Calls that come while one is under way share the next, so that many pages of pushes cost one WAIT.
 */
export class ReplicationBarrier {
  readonly #masters: () => Master[];
  readonly #inCharge: () => Promise<boolean>;
  #running: Promise<boolean> | undefined;
  #next: Promise<boolean> | undefined;
  #trustedUntil = 0;

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
    if (Date.now() < this.#trustedUntil) return true;
    const masters = this.#masters();
    const reached = await Promise.all(masters.map((master) => master.wait(1, REPLICATE_WITHIN)));
    if (masters.length > 0 && reached.every((count) => count >= 1)) return true;
    const inCharge = await this.#inCharge();
    // No replica to wait for: not for every page again.
    if (inCharge) this.#trustedUntil = Date.now() + TRUST_FOR;
    return inCharge;
  }
}
