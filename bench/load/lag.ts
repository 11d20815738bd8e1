import { setTimeout as sleep } from "node:timers/promises";
import type { ApiClient, Person } from "./client.ts";
import { inParallel, type Run } from "./phases.ts";
import { sample } from "./random.ts";

export const FANOUT_LAG = "fan-out lag";
const PROBE = "lag probe";

/** One tweet in so many is watched, unless another is being watched. */
const EVERY = 20;
/** Followers who are asked for, each over a connection of its own: no probe waits for another. */
export const PROBED_FOLLOWERS = 8;
const FIRST_PAUSE_MS = 2;
const LONGEST_PAUSE_MS = 50;
const BOUND_MS = 30_000;

/**
 * Measures how long after its acceptance a tweet is in the home timeline of the last of its author's followers (of eight
 * random ones where there are more), by asking for it until it is there: a little more than the truth. Of followers, only
 * those count who have read their timeline before: for others nothing is delivered, their first page builds it. A tweet
 * that is not everywhere within 30 s is an error.
 */
export class LagWatch {
  readonly #run: Run;
  readonly #client: ApiClient;
  readonly #followers: Map<Person, Person[]>;
  readonly #readers = new Set<Person>();
  #watching: Promise<void> | undefined;
  #composed = 0;

  /** @param client with connections of its own, so that probes do not queue up behind the load */
  constructor(run: Run, client: ApiClient, followers: Map<Person, Person[]>) {
    this.#run = run;
    this.#client = client;
    this.#followers = followers;
  }

  /** Watches some of the tweets it is told of. `acceptedAt`: when the answer came, in ms of `performance.now()`. */
  composed(author: Person, tweetId: string, acceptedAt: number): void {
    if (this.#composed++ % EVERY !== 0 || this.#watching) return;
    const followers = (this.#followers.get(author) ?? []).filter((follower) => this.#readers.has(follower));
    if (followers.length === 0) return;
    const some = sample(followers, PROBED_FOLLOWERS, this.#run.random);
    this.#watching = this.#watch(some, tweetId, acceptedAt).finally(() => {
      this.#watching = undefined;
    });
  }

  /** Told of everybody who has read their home timeline. */
  read(viewer: Person): void {
    this.#readers.add(viewer);
  }

  /** Resolves once the watched tweet is everywhere, or given up. */
  async settle(): Promise<void> {
    await this.#watching;
  }

  async #watch(followers: Person[], tweetId: string, acceptedAt: number): Promise<void> {
    const { recorder, signal } = this.#run;
    const waiting = new Set(followers);
    let lastSeenAt = acceptedAt;
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
      await inParallel([...waiting], PROBED_FOLLOWERS, async (follower) => {
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
