import { performance } from "node:perf_hooks";
import type { Id } from "../../services/contracts/users.ts";
import type { Person, Roost } from "./roost.ts";

/** What became of one tweet. */
export interface Attempt {
  shard: string;
  /** Undefined: it was not acknowledged. */
  id: Id | undefined;
  error: unknown;
  /** When it was answered, in ms of `performance.now()`, and how long that took. */
  at: number;
  ms: number;
}

const PAUSE_MS = 15;

/** People who tweet one after the other, each on their own, on all nodes in turn, until told to stop. */
export class Writers {
  readonly attempts: Attempt[] = [];
  readonly #roost: Roost;
  readonly #lanes: Promise<void>[];
  #stopped = false;
  #turn = 0;

  constructor(roost: Roost, people: readonly Person[]) {
    this.#roost = roost;
    this.#lanes = people.map((person) => this.#write(person));
  }

  /** Waits until everybody has had the answer to their last tweet. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#lanes);
  }

  acknowledged(shard?: string): Id[] {
    return this.#of(shard).flatMap(({ id }) => id ?? []);
  }

  failures(shard?: string): Attempt[] {
    return this.#of(shard).filter(({ id }) => id === undefined);
  }

  /** The times that tweets of these shards took which were answered in a span of time, in ms, ascending. */
  times(isOurs: (shard: string) => boolean, from: number, to: number): number[] {
    return this.attempts
      .filter(({ shard, at, id }) => id !== undefined && isOurs(shard) && at >= from && at < to)
      .map(({ ms }) => ms)
      .sort((a, b) => a - b);
  }

  #of(shard: string | undefined): Attempt[] {
    return this.attempts.filter((attempt) => shard === undefined || attempt.shard === shard);
  }

  async #write(person: Person): Promise<void> {
    const shard = this.#roost.resources.db.shardOf(person);
    while (!this.#stopped) {
      const node = this.#roost.nodes[this.#turn++ % this.#roost.nodes.length];
      const began = performance.now();
      const answer = await this.#roost.call("tweet.create", { text: "hello" }, person, node?.broker).then(
        ({ id }) => ({ id, error: undefined }),
        (error: unknown) => ({ id: undefined, error }),
      );
      const at = performance.now();
      this.attempts.push({ shard, ...answer, at, ms: at - began });
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}

/** The value below which a share of ascending values lies. */
export function percentile(ascending: readonly number[], share: number): number {
  return ascending[Math.min(ascending.length - 1, Math.floor(ascending.length * share))] ?? 0;
}
