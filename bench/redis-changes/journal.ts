import { Recorder } from "../load/recorder.ts";

interface Answer {
  at: number;
  ms: number;
  failed: boolean;
}

/** What clients saw between one change and the next. */
export interface Chapter {
  what: string;
  /** s from the beginning, and until the next one. */
  from: number;
  lasted: number;
  requests: number;
  errors: number;
  /** From the first to the last error of the longest row of them that are less than a second apart, in s. */
  errorsFor: number;
  p50: number;
  p99: number;
  /** The slowest answer, in ms. */
  max: number;
}

/** A recorder that also remembers when: what clients saw around each change. */
export class Journal extends Recorder {
  readonly #startedAt = performance.now();
  readonly #answers: Answer[] = [];
  readonly #changes: { what: string; at: number }[] = [];

  override succeeded(name: string, ms: number): void {
    super.succeeded(name, ms);
    this.#answers.push({ at: this.#now, ms, failed: false });
  }

  override failed(name: string, error: unknown): void {
    super.failed(name, error);
    this.#answers.push({ at: this.#now, ms: 0, failed: true });
  }

  /** From now on it is this. */
  change(what: string): void {
    this.#changes.push({ what, at: this.#now });
  }

  chapters(): Chapter[] {
    const ends = [...this.#changes.slice(1).map(({ at }) => at), this.#now];
    return this.#changes.map(({ what, at: from }, i) => {
      const until = ends[i] ?? from;
      const answers = this.#answers.filter(({ at }) => at >= from && at < until);
      return { what, from, lasted: until - from, ...summary(answers) };
    });
  }

  get #now(): number {
    return (performance.now() - this.#startedAt) / 1_000;
  }
}

function summary(answers: Answer[]): Omit<Chapter, "what" | "from" | "lasted"> {
  const errors = answers.filter(({ failed }) => failed).map(({ at }) => at);
  const times = answers.flatMap(({ failed, ms }) => (failed ? [] : ms)).sort((a, b) => a - b);
  const quantile = (part: number) => times[Math.min(times.length - 1, Math.floor(part * times.length))] ?? 0;
  return {
    requests: answers.length,
    errors: errors.length,
    errorsFor: longestRow(errors),
    p50: quantile(0.5),
    p99: quantile(0.99),
    max: times.at(-1) ?? 0,
  };
}

/** The longest span of moments that are less than a second apart, in s. */
export function longestRow(moments: readonly number[]): number {
  let [longest, since] = [0, moments[0] ?? 0];
  for (const [i, at] of moments.entries()) {
    if (at - (moments[i - 1] ?? at) >= 1) since = at;
    longest = Math.max(longest, at - since);
  }
  return longest;
}

/** A line for each chapter. */
export function renderChapters(chapters: readonly Chapter[]): string {
  const cells = (values: readonly string[]) =>
    `${(values[0] ?? "").padEnd(58)}${values
      .slice(1)
      .map((value) => value.padStart(10))
      .join("")}`;
  const head = cells(["", "from s", "for s", "requests", "errors", "errors s", "p50 ms", "p99 ms", "max ms"]);
  const lines = chapters.map((chapter) => {
    const { what, from, lasted, requests, errors, errorsFor, p50, p99, max } = chapter;
    const times = [p50, p99, max].map((ms) => ms.toFixed(0));
    return cells([
      what,
      from.toFixed(1),
      lasted.toFixed(1),
      `${requests}`,
      `${errors}`,
      errorsFor.toFixed(1),
      ...times,
    ]);
  });
  return [head, ...lines].join("\n");
}
