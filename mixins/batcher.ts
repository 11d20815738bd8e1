/**
 * Gathers items for a moment and hands them over together: `work` gets everything that was added within `delayMs` of the
 * first. Its failures are its own affair (`onError`): what is batched here must be repeatable by someone else.
 */
export class Batcher<T> {
  #items: T[] = [];
  #timer: NodeJS.Timeout | undefined;
  readonly #running = new Set<Promise<void>>();
  readonly #delayMs: number;
  readonly #work: (items: T[]) => Promise<void>;
  readonly #onError: (error: unknown) => void;

  constructor(delayMs: number, work: (items: T[]) => Promise<void>, onError: (error: unknown) => void) {
    this.#delayMs = delayMs;
    this.#work = work;
    this.#onError = onError;
  }

  add(...items: T[]): void {
    this.#items.push(...items);
    if (this.#items.length > 0) this.#timer ??= setTimeout(() => this.#flush(), this.#delayMs);
  }

  /** Hands over what is left and waits for all of it. */
  async close(): Promise<void> {
    this.#flush();
    await Promise.all(this.#running);
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#items.length === 0) return;
    const items = this.#items;
    this.#items = [];
    const run = this.#work(items)
      .catch(this.#onError)
      .finally(() => this.#running.delete(run));
    this.#running.add(run);
  }
}
