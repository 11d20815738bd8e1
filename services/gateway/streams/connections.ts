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

  /** Counts a stream until it is closed. Throws 429 where its reader has too many, 503 where the process has. */
  add(reader: string, outlet: Outlet): void {
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
    outlet.onClosed(() => {
      theirs.delete(outlet);
      if (theirs.size === 0) this.#open.delete(reader);
    });
  }

  /** Ends all of them, and takes no more. */
  close(): void {
    this.#closing = true;
    for (const theirs of this.#open.values()) for (const outlet of theirs) outlet.end();
  }
}
