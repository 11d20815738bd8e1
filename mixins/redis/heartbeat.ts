import type { Redis } from "ioredis";
import { Periodic } from "../periodic.ts";
import { within } from "../within.ts";

/** ms: between beats; until a connection that says nothing is given up; between looks at who is in charge. */
const EVERY = 500;
const SILENT = 1_500;
const CONFIRM_EVERY = 1_000;

/** What a heartbeat looks after. */
export interface Beating {
  connections(): Redis[];
  /** Whether the masters that are connected are those that everybody else takes for them. */
  inCharge(): Promise<boolean>;
}

/**
 * Replaces connections that have gone silent: where packets vanish on the way, TCP takes minutes to give up on one, and a
 * new one would have worked long before. And notices masters that were deposed and do not know.
 */
export class Heartbeat {
  readonly #beating: Beating;
  readonly #periodics: Periodic[];
  #inCharge = false;

  constructor(beating: Beating) {
    this.#beating = beating;
    this.#periodics = [
      new Periodic(EVERY, () => this.#beat()),
      new Periodic(CONFIRM_EVERY, () => this.#confirm()),
    ];
  }

  /** As of about a second ago. */
  get inCharge(): boolean {
    return this.#inCharge;
  }

  async start(): Promise<void> {
    await this.#confirm();
    for (const periodic of this.#periodics) periodic.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#periodics.map((periodic) => periodic.stop()));
  }

  async #confirm(): Promise<void> {
    this.#inCharge = await this.#beating.inCharge().catch(() => false);
  }

  async #beat(): Promise<void> {
    const ready = this.#beating.connections().filter(({ status }) => status === "ready");
    await Promise.all(
      ready.map(async (connection) => {
        const { stream } = connection;
        await within(SILENT, connection.ping()).catch(() => stream.destroy());
      }),
    );
  }
}
