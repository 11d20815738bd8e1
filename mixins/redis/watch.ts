import { setImmediate as afterIo, setTimeout as sleep } from "node:timers/promises";

/** ms: between pings; until a ping counts as failed (shorter than a command's own time-out); without a failure. */
const PING_EVERY = 50;
const PING_WITHIN = 350;
const CALM = 2_500;

/**
 * Decides whether what Redis holds may be shown. A Redis that went away and comes back with its data (a hang, a cut
 * network) has missed invalidations that were acknowledged meanwhile. Every process therefore pings it, and notices an
 * outage sooner than any command times out; from then on readers go to Postgres, until Redis has answered for a while
 * and nothing in the outbox waits for it any more.
 */
export class RedisWatch {
  readonly #ping: () => Promise<void>;
  readonly #clear: () => Promise<boolean>;
  #readable = false;
  #calmSince = 0;
  #stopped = false;
  #running: Promise<void> = Promise.resolve();

  constructor(ping: () => Promise<void>, clear: () => Promise<boolean>) {
    this.#ping = ping;
    this.#clear = clear;
  }

  get readable(): boolean {
    return this.#readable;
  }

  /** A process that starts has seen no outage: it only asks whether anything waits for Redis. */
  async start(): Promise<void> {
    await this.#look();
    this.#running = this.#loop();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #loop(): Promise<void> {
    while (!this.#stopped) {
      await sleep(PING_EVERY);
      await this.#look();
    }
  }

  async #look(): Promise<void> {
    if (!(await this.#answers())) {
      this.#readable = false;
      this.#calmSince = Date.now() + CALM;
    } else if (!this.#readable && Date.now() >= this.#calmSince) {
      this.#readable = await this.#clear().catch(() => false);
    }
  }

  async #answers(): Promise<boolean> {
    const answer = this.#ping().then(
      () => true,
      () => false,
    );
    // A stall of this process is no outage: an answer that lies in the socket by now is still taken.
    const late = sleep(PING_WITHIN).then(() => afterIo(false));
    return Promise.race([answer, late]);
  }
}
