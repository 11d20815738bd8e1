import { limits } from "../../../config/limits.ts";
import { RoostError, unavailable } from "../../contracts/errors.ts";
import type { Outlet } from "./outlet.ts";

/** The streams that are open in this process, which are bounded, in all and for each who reads them. */
export class Connections {
  readonly #open = new Map<string, Set<Outlet>>();
  #closing = false;

  get count(): number {
    return [...this.#open.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /**
   * Counts a stream while `open` works on it and until it is closed: who leaves early has not made room for another yet.
   * Throws 429 where its reader has too many, 503 where the process has, and what `open` throws.
   */
  async add<T>(reader: string, outlet: Outlet, open: () => Promise<T>): Promise<T> {
    const { connectionsEach, connections } = limits.streams;
    if (this.#closing || this.count >= connections) throw unavailable("Another stream");
    const theirs = this.#open.get(reader) ?? new Set();
    if (theirs.size >= connectionsEach) {
      throw new RoostError(
        "TOO_MANY_REQUESTS",
        `There may be ${connectionsEach} streams at a time: close one of them first.`,
        { retryAfter: 1 },
      );
    }
    this.#open.set(reader, theirs.add(outlet));
    const leave = () => {
      theirs.delete(outlet);
      if (theirs.size === 0 && this.#open.get(reader) === theirs) this.#open.delete(reader);
    };
    try {
      return await open();
    } finally {
      outlet.onClosed(leave);
    }
  }

  /** Ends all of them, and takes no more. */
  close(): void {
    this.#closing = true;
    for (const theirs of this.#open.values()) for (const outlet of theirs) outlet.end();
  }
}
