import { type ApiClient, type Person, RequestError } from "./client.ts";
import { composer } from "./composer.ts";
import type { Graph } from "./graph.ts";
import { showProgress } from "./progress.ts";
import { type Random, sample } from "./random.ts";
import type { Recorder } from "./recorder.ts";

/** Sign-ups at a time: hashing passwords takes whole cores, so more would only queue up there, and be refused. */
const SIGN_UPS = 32;

/** What every phase of a run needs. */
export interface Run {
  client: ApiClient;
  recorder: Recorder;
  random: Random;
  /** How many requests are under way at a time. */
  concurrency: number;
  /** Aborting it ends the run between two requests. */
  signal: AbortSignal;
}

/**
 * Signs up everybody in the graph under a name that no other run uses. Whoever could not be signed up is undefined.
 * @throws where the server limits sign-ups: a graph cannot be loaded that way
 */
export async function signUpAll(run: Run, graph: Graph): Promise<(Person | undefined)[]> {
  const people = new Array<Person | undefined>(graph.people.length).fill(undefined);
  const runName = Math.floor(Date.now() / 1000).toString(36);
  const password = crypto.randomUUID();
  await phase(
    { ...run, concurrency: Math.min(run.concurrency, SIGN_UPS) },
    "sign up",
    [...graph.people.keys()],
    "users",
    async (i) => {
      try {
        people[i] = await run.client.signUp(`l${runName}_${i}`, `Person ${graph.people[i]}`, password);
      } catch (error) {
        if (error instanceof RequestError && error.status === "429") {
          throw new RateLimited("sign-ups are rate-limited there: start that Roost with RATE_LIMIT_FACTOR=0");
        }
        throw error;
      }
    },
  );
  return people;
}

/** Follows along all edges whose ends have accounts, in random order, as people do. */
export async function followAll(run: Run, graph: Graph, people: (Person | undefined)[]): Promise<void> {
  const shuffled = sample(graph.follows, graph.follows.length, run.random);
  await phase(run, "follow", shuffled, "follows", async ([a, b]) => {
    const [follower, followee] = [people[a], people[b]];
    if (follower && followee) await run.client.follow(follower, followee);
  });
}

/** One tweet by everybody, so that no timeline is empty. */
export async function firstTweets(run: Run, people: Person[]): Promise<void> {
  const text = composer(people, run.random);
  await phase(run, "first tweets", people, "tweets", async (author) => {
    await run.client.tweet(author, text());
  });
}

/** The server will not let the run go on. */
export class RateLimited extends Error {
  override name = "RateLimited";
}

/** Does `work` for every item, times and counts it under the phase's name, and shows how far it is. */
async function phase<T>(
  run: Run,
  name: string,
  items: T[],
  unit: string,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const progress = showProgress(name, items.length, unit);
  const startedAt = performance.now();
  let done = 0;
  let stopped: RateLimited | undefined;
  try {
    await inParallel(items, run.concurrency, async (item) => {
      run.signal.throwIfAborted();
      if (stopped) throw stopped;
      await run.recorder.time(name, async () => {
        try {
          await work(item);
        } catch (error) {
          if (error instanceof RateLimited) stopped = error;
          throw error;
        }
      });
      done++;
      progress.update(done, `${Math.round((done * 1000) / (performance.now() - startedAt))}/s`);
    });
    if (stopped) throw stopped;
  } finally {
    progress.end();
  }
  run.recorder.lasted([name], performance.now() - startedAt);
}

/** Works on the items in their order, at most `width` at a time. Rejects with the first failure. */
export async function inParallel<T>(
  items: Iterable<T>,
  width: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items[Symbol.iterator]();
  const worker = async () => {
    for (let next = queue.next(); !next.done; next = queue.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: width }, worker));
}
