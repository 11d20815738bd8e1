import type { Person } from "../load/client.ts";
import { composer } from "../load/composer.ts";
import { inParallel, type Run } from "../load/phases.ts";
import { pick } from "../load/random.ts";

/** What was acknowledged, to be read back at the end. */
export interface Acknowledged {
  /** The ids of tweets, by author. */
  tweets: Map<Person, string[]>;
  /** Whom each follows, by their ids. */
  follows: Map<Person, Set<string>>;
}

/** Of a hundred requests. */
const MIX = { home: 50, user: 25, follow: 10, tweet: 15 } as const;
const PAGE = 20;
const BACK = 100;

/**
 * People read, tweet and follow, each connection without a pause, until `over` is aborted. What fails is counted by the
 * recorder, and was not acknowledged.
 */
export async function traffic(run: Run, people: readonly Person[], over: AbortSignal): Promise<Acknowledged> {
  const { client, recorder, random } = run;
  const acknowledged: Acknowledged = { tweets: new Map(), follows: new Map() };
  const text = composer(people, random);
  const once = async () => {
    const [who, whom] = [pick(people, random), pick(people, random)];
    const drawn = random() * 100;
    if (drawn < MIX.home) {
      await recorder.time("home", () => client.homePage(who, { max_results: PAGE }));
    } else if (drawn < MIX.home + MIX.user) {
      await recorder.time("user", () => client.userPage(who, whom, { max_results: PAGE }));
    } else if (drawn < MIX.home + MIX.user + MIX.follow) {
      if (who === whom) return;
      const answered = await recorder.time("follow", () => client.follow(who, whom).then(() => "followed"));
      if (answered) listed(acknowledged.follows, who, () => new Set<string>()).add(whom.id);
    } else {
      const id = await recorder.time("tweet", () => client.tweet(who, text()));
      if (id !== undefined) listed(acknowledged.tweets, who, () => []).push(id);
    }
  };
  const connection = async () => {
    while (!over.aborted) {
      run.signal.throwIfAborted();
      await once();
    }
  };
  await Promise.all(Array.from({ length: run.concurrency }, connection));
  return acknowledged;
}

/** Reads everything back through the API. Returns what is not there: a line for each. */
export async function missing(run: Run, { tweets, follows }: Acknowledged): Promise<string[]> {
  const { client } = run;
  const lost: string[] = [];
  await inParallel(tweets, run.concurrency, async ([author, ids]) => {
    for (let first = 0; first < ids.length; first += BACK) {
      const asked = ids.slice(first, first + BACK);
      const found = new Set(await client.tweets(author, asked));
      lost.push(...asked.filter((id) => !found.has(id)).map((id) => `tweet ${id} of ${author.username}`));
    }
  });
  await inParallel(follows, run.concurrency, async ([follower, followed]) => {
    const found = new Set<string>();
    for (let token: string | undefined, first = true; first || token !== undefined; first = false) {
      const page = await client.following(follower, token);
      for (const id of page.ids) found.add(id);
      token = page.nextToken;
    }
    lost.push(
      ...[...followed].filter((id) => !found.has(id)).map((id) => `follow of ${id} by ${follower.username}`),
    );
  });
  return lost;
}

function listed<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key) ?? make();
  map.set(key, known);
  return known;
}
