/** Lets any number of writers work on a subject at a time, or one reader who wants it to hold still. */
export class Quiet {
  readonly #writing = new Map<string, Set<Promise<unknown>>>();
  readonly #reading = new Map<string, Promise<unknown>>();

  /** Runs `write` once nobody reads any of the subjects. */
  async write<T>(subjects: string[], write: () => Promise<T>): Promise<T> {
    for (let readers = this.#readersOf(subjects); readers.length > 0; readers = this.#readersOf(subjects)) {
      await Promise.allSettled(readers);
    }
    const writing = write();
    const sets = subjects.map((subject) => this.#writersOf(subject).add(writing));
    return writing.finally(() => {
      for (const set of sets) set.delete(writing);
    });
  }

  /** Runs `read` once those who write the subject have ended, and before others begin. */
  async read<T>(subject: string, read: () => Promise<T>): Promise<T> {
    while (this.#reading.has(subject)) await Promise.allSettled(this.#readersOf([subject]));
    const reading = Promise.allSettled(this.#writersOf(subject)).then(read);
    this.#reading.set(subject, reading);
    return reading.finally(() => this.#reading.delete(subject));
  }

  #readersOf(subjects: string[]): Promise<unknown>[] {
    return subjects.flatMap((subject) => this.#reading.get(subject) ?? []);
  }

  #writersOf(subject: string): Set<Promise<unknown>> {
    const known = this.#writing.get(subject) ?? new Set();
    this.#writing.set(subject, known);
    return known;
  }
}
