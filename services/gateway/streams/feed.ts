import { limits } from "../../../config/limits.ts";
import { Periodic } from "../../../mixins/periodic.ts";
import { newestFirst } from "../../../mixins/shard-db/ids.ts";
import type { ResultOf } from "../../contracts/actions.ts";
import type { Tweet } from "../../contracts/tweets.ts";
import type { Id } from "../../contracts/users.ts";
import { type Calls, NOBODY } from "./calls.ts";
import { oldestOf } from "./id-time.ts";

/** Hears of new tweets, oldest first, each once. Must not throw. */
export type Listener = (tweets: readonly Tweet[]) => void;

interface Shard {
  position: Id;
  /** What was seen of the time that is looked through again. */
  seen: ReadonlySet<Id>;
}

/**
 * All new tweets of all shards, for the streams of this process; nothing is asked while nobody listens. Postgres is the
 * truth: each look takes what came after the last one, and goes some seconds further back for what was committed late. A
 * nudge only says when to look; if it is lost the next look is `pollMs` away.
 */
export class Feed {
  readonly #call: Calls;
  readonly #listeners = new Set<Listener>();
  readonly #looks = new Periodic(limits.streams.pollMs, () => this.#look());
  #shards = new Map<string, Shard>();
  #started: Promise<void> | undefined;

  constructor(call: Calls) {
    this.#call = call;
  }

  /** Resolves once every tweet that is committed from now on will be heard of. Throws 503 where that cannot be. */
  async subscribe(listener: Listener): Promise<void> {
    this.#listeners.add(listener);
    this.#started ??= this.#look().then(() => {
      if (this.#listeners.size > 0) this.#looks.start();
    });
    try {
      await this.#started;
    } catch (error) {
      this.unsubscribe(listener);
      this.#started = undefined;
      throw error;
    }
  }

  /** The last one to go stops the feed. */
  unsubscribe(listener: Listener): void {
    this.#listeners.delete(listener);
    if (this.#listeners.size > 0) return;
    this.#started = undefined;
    this.#shards = new Map();
    void this.#looks.stop();
  }

  /** Everything older has been heard of, by the clock of the shard that is furthest behind. */
  get floor(): Id {
    return oldestOf([...this.#shards.values()].map(({ position }) => position));
  }

  /** Somebody has tweeted. */
  nudge(): void {
    this.#looks.soon(limits.streams.debounceMs);
  }

  async stop(): Promise<void> {
    this.#listeners.clear();
    await this.#looks.stop();
  }

  async #look(): Promise<void> {
    const before = this.#shards;
    const positions = Object.fromEntries([...before].map(([name, { position }]) => [name, position]));
    const answer = await this.#call("tweet.since", { positions, overlap_ms: limits.streams.overlapMs });
    const { fresh, shards } = advance(before, answer.shards);
    const tweets: Tweet[] = [];
    for (let first = 0; first < fresh.length; first += limits.lookup) {
      const ids = fresh.slice(first, first + limits.lookup);
      tweets.push(...(await this.#call("tweet.get", { ids }, NOBODY)).tweets);
    }
    // Stopped meanwhile, and perhaps started anew.
    if (this.#shards !== before) return;
    this.#shards = shards;
    if (tweets.length > 0) for (const listener of this.#listeners) listener(tweets);
    if (answer.more) this.#looks.soon(0);
  }
}

/**
 * What is new in the answers of some shards, oldest first, and where each shard is then. What a shard has at its first
 * answer is not new; one that did not answer stays where it is. Pure.
 */
export function advance(
  before: ReadonlyMap<string, Shard>,
  answers: ResultOf<"tweet.since">["shards"],
): { fresh: Id[]; shards: Map<string, Shard> } {
  const shards = new Map(before);
  const fresh: Id[] = [];
  const known = (id: Id) => [...before.values()].some(({ seen }) => seen.has(id));
  for (const [name, { position, ids }] of Object.entries(answers)) {
    shards.set(name, { position, seen: new Set(ids) });
    if (before.has(name)) fresh.push(...ids.filter((id) => !known(id)));
  }
  return { fresh: [...new Set(fresh)].sort(newestFirst).reverse(), shards };
}
