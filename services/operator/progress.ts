const LINE_EVERY_MS = 5_000;
const CLEAR = "\r\u001b[K";

/** Says which step is under way, and how far it is. */
export type Say = (step: string, detail?: string) => void;

/**
 * Shows on standard error what is being done and for how long: one line that changes on a terminal; elsewhere a line for
 * each step, and one every few seconds.
 */
export class Progress {
  readonly #terminal = process.stderr.isTTY;
  #step = "";
  #detail = "";
  #begunAt = Date.now();
  #saidAt = 0;
  readonly #timer = setInterval(() => this.#show(), 1_000).unref();

  readonly say: Say = (step, detail = "") => {
    const next = step !== this.#step;
    if (next) this.#begunAt = Date.now();
    [this.#step, this.#detail] = [step, detail];
    if (next) this.#show(true);
  };

  /** Makes room for a line of output. */
  clear(): void {
    if (this.#terminal) process.stderr.write(CLEAR);
  }

  end(): void {
    clearInterval(this.#timer);
    this.clear();
  }

  #show(next = false): void {
    if (this.#step === "" || !(this.#terminal || next || Date.now() - this.#saidAt >= LINE_EVERY_MS)) return;
    const seconds = Math.round((Date.now() - this.#begunAt) / 1000);
    const line = [this.#step, this.#detail, seconds > 0 ? `${seconds} s` : ""].filter(Boolean).join(", ");
    process.stderr.write(this.#terminal ? `${CLEAR}${line}` : `${line}\n`);
    this.#saidAt = Date.now();
  }
}
