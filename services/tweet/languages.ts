import { Worker } from "node:worker_threads";

/** No language, or none that can be told. */
export const UNDETERMINED = "und";

/** What the worker is asked, and what it answers. */
export interface LanguageQuestion {
  n: number;
  text: string;
}
export interface LanguageAnswer {
  n: number;
  lang: string;
}

/**
 * Tells languages in a thread of its own: a guess takes a tenth of what a tweet takes in all, and the thread that answers
 * requests has better things to do. Where the worker fails, languages are not known.
 */
export class Languages {
  readonly #worker = new Worker(new URL("./language-worker.ts", import.meta.url));
  readonly #waiting = new Map<number, (lang: string) => void>();
  #asked = 0;
  #failed = false;

  constructor() {
    this.#worker.unref();
    this.#worker.on("message", ({ n, lang }: LanguageAnswer) => {
      this.#waiting.get(n)?.(lang);
      this.#waiting.delete(n);
    });
    this.#worker.on("error", () => this.#fail());
  }

  /** The language of a text, as BCP 47; "und" where it cannot be told. Never throws. */
  of(text: string): Promise<string> {
    if (this.#failed) return Promise.resolve(UNDETERMINED);
    const n = this.#asked++;
    return new Promise((resolve) => {
      this.#waiting.set(n, resolve);
      const question: LanguageQuestion = { n, text };
      this.#worker.postMessage(question);
    });
  }

  async close(): Promise<void> {
    this.#fail();
    await this.#worker.terminate();
  }

  #fail(): void {
    this.#failed = true;
    for (const resolve of this.#waiting.values()) resolve(UNDETERMINED);
    this.#waiting.clear();
  }
}
