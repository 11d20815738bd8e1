import { setTimeout as sleep } from "node:timers/promises";
import { within } from "../within.ts";

/**
 * ms: between pings; until a ping counts as failed (shorter than a command's own time-out); without an outage; without a
 * command that failed; between looks at what waits for Redis.
 */
const PING_EVERY = 50;
const PING_WITHIN = 350;
const CALM = 2_500;
const CALM_AFTER_COMMAND = 500;
const CLEAR_EVERY = 1_000;

/** What the watch asks. */
export interface Watched {
  /** Rejects where a master does not answer. */
  ping(): Promise<void>;
  /** Whether the masters are those that everybody else takes for them. */
  inCharge(): boolean;
  /** Whether all changes that Redis has missed have been made up for. */
  clear(): Promise<boolean>;
}

/**
 * Decides whether what Redis holds may be shown. A Redis that went away and comes back with its data (a hang, a cut
 * network) has missed invalidations that were acknowledged meanwhile. Every process therefore pings it, and notices an
 * outage sooner than any command times out; from then on readers go to Postgres, until Redis has answered for a while
 * and nothing in the outbox waits for it any more. The same where a single command fails, as in a Redis that is full, and,
 * a second later, where one of another process did. Nor does anybody read from a master that was deposed and does not
 * know: what others change, it never learns.
 */
export class RedisWatch {
  readonly #watched: Watched;
  #answering = false;
  #calmSince = 0;
  #clearUntil = 0;
  #stopped = false;
  #running: Promise<void> = Promise.resolve();

  constructor(watched: Watched) {
    this.#watched = watched;
  }

  get readable(): boolean {
    return this.#answering && this.#watched.inCharge();
  }

  /** A command has failed: what it was to change is not to be read until somebody has made up for it. */
  doubt(): void {
    this.#suspend(CALM_AFTER_COMMAND);
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
    if (!(await this.#answers())) this.#suspend(CALM);
    else if (this.#answering) void this.#recheck();
    else if (Date.now() >= this.#calmSince) {
      const asked = this.#calmSince;
      const clear = await this.#watched.clear().catch(() => false);
      this.#answering = clear && asked === this.#calmSince;
    }
  }

  #suspend(ms: number): void {
    this.#answering = false;
    this.#calmSince = Math.max(this.#calmSince, Date.now() + ms);
  }

  /** Looks beside the pings, which must not wait for it. Where Postgres cannot be asked, Redis is all there is. */
  async #recheck(): Promise<void> {
    if (Date.now() < this.#clearUntil) return;
    this.#clearUntil = Date.now() + CLEAR_EVERY;
    if (!(await this.#watched.clear().catch(() => true))) this.#answering = false;
  }

  async #answers(): Promise<boolean> {
    return within(PING_WITHIN, this.#watched.ping()).then(
      () => true,
      () => false,
    );
  }
}
