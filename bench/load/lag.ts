import { setTimeout as sleep } from "node:timers/promises";
import type { ApiClient, Person } from "./client.ts";
import { inParallel, type Run } from "./phases.ts";
import { sample } from "./random.ts";

export const FANOUT_LAG = "fan-out lag";
const PROBE = "lag probe";

/** One tweet in so many is watched, unless so many are watched already. */
const EVERY = 20;
const AT_A_TIME = 4;
const FOLLOWERS = 30;
export const PROBE_CONNECTIONS = 8;
const FIRST_PAUSE_MS = 2;
const LONGEST_PAUSE_MS = 50;
const BOUND_MS = 30_000;

/**
 * Measures how long after its acceptance a tweet is in the home timeline of the last of its author's followers (of 30
 * random ones where there are more), by asking for it until it is there: a little more than the truth. A tweet that is
 * not everywhere within 30 s is an error.
 */
export class LagWatch {
  readonly #run: Run;
  readonly #client: ApiClient;
  readonly #followers: Map<Person, Person[]>;
  readonly #watching = new Set<Promise<void>>();
  #composed = 0;

  /** @param client with connections of its own, so that probes do not queue up behind the load */
  constructor(run: Run, client: ApiClient, followers: Map<Person, Person[]>) {
    this.#run = run;
    this.#client = client;
    this.#followers = followers;
  }

  /** Watches some of the tweets it is told of. `acceptedAt`: when the answer came, in ms of `performance.now()`. */
  composed(author: Person, tweetId: string, acceptedAt: number): void {
    const followers = this.#followers.get(author) ?? [];
    if (this.#composed++ % EVERY !== 0 || this.#watching.size >= AT_A_TIME || followers.length === 0) return;
    const watch = this.#watch(sample(followers, FOLLOWERS, this.#run.random), tweetId, acceptedAt);
    this.#watching.add(watch);
    void watch.finally(() => this.#watching.delete(watch));
  }

  /** Resolves once all watched tweets are everywhere, or given up. */
  async settle(): Promise<void> {
    await Promise.all(this.#watching);
  }

  async #watch(followers: Person[], tweetId: string, acceptedAt: number): Promise<void> {
    const { recorder, signal } = this.#run;
    const waiting = new Set(followers);
    let lastSeenAt = acceptedAt;
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
      await inParallel([...waiting], PROBE_CONNECTIONS, async (follower) => {
        if (!(await this.#sees(follower, tweetId))) return;
        waiting.delete(follower);
        lastSeenAt = performance.now();
      });
      if (signal.aborted) return;
      if (waiting.size === 0) break;
      if (performance.now() - acceptedAt > BOUND_MS) {
        const fault = `tweet ${tweetId} is not visible to ${waiting.size} of ${followers.length} followers after ${BOUND_MS / 1000} s`;
        return recorder.failed(FANOUT_LAG, new Error(fault));
      }
      await sleep(pause);
    }
    recorder.succeeded(FANOUT_LAG, lastSeenAt - acceptedAt);
  }

  async #sees(follower: Person, tweetId: string): Promise<boolean> {
    const id = BigInt(tweetId);
    const only = { max_results: 1, since_id: String(id - 1n), until_id: String(id + 1n) };
    const page = await this.#run.recorder.time(PROBE, () => this.#client.homePage(follower, only));
    return page?.ids.includes(tweetId) ?? false;
  }
}
