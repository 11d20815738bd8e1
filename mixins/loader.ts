interface Question<K, V> {
  key: K;
  answer: PromiseWithResolvers<V>;
}

/**
 * Answers questions that are asked in one turn of the event loop together (after Facebook's DataLoader), so many at a time.
 * It remembers nothing: what is asked later is answered by what is true later.
 */
export class Loader<K, V> {
  readonly #most: number;
  readonly #load: (keys: K[]) => Promise<V[]>;
  #asked: Question<K, V>[] = [];

  /** `load` answers in the order of the keys; where it rejects, each of them is rejected. */
  constructor(most: number, load: (keys: K[]) => Promise<V[]>) {
    this.#most = most;
    this.#load = load;
  }

  load(key: K): Promise<V> {
    if (this.#asked.length === 0) setImmediate(() => this.#flush());
    const answer = Promise.withResolvers<V>();
    this.#asked.push({ key, answer });
    return answer.promise;
  }

  #flush(): void {
    const asked = this.#asked;
    this.#asked = [];
    for (let first = 0; first < asked.length; first += this.#most)
      void this.#answer(asked.slice(first, first + this.#most));
  }

  async #answer(asked: Question<K, V>[]): Promise<void> {
    try {
      const values = await this.#load(asked.map(({ key }) => key));
      for (const [i, { answer }] of asked.entries()) answer.resolve(values[i] as V); // one for each key
    } catch (error) {
      for (const { answer } of asked) answer.reject(error);
    }
  }
}
