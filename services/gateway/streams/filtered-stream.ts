import { limits } from "../../../config/limits.ts";
import { idTimeMs } from "../../../mixins/shard-db/ids.ts";
import type { Tweet } from "../../contracts/tweets.ts";
import type { Id } from "../../contracts/users.ts";
import { ownerOf } from "../../tweet/stream/owner.ts";
import type { Streaming } from "../endpoint.ts";
import type { TweetView } from "../present/tweets.ts";
import { type Match, matchesSince } from "./backfill.ts";
import type { Calls } from "./calls.ts";
import { answersOf, type Delivery } from "./delivery.ts";
import type { Feed } from "./feed.ts";
import type { Outlet } from "./outlet.ts";
import type { RuleSet } from "./rule-set.ts";
import type { LiveStream, Streams } from "./streams.ts";

/** From when on to when a stream goes, in ms since 1970; undefined: from now on, for ever. */
export interface Span {
  startMs: number | undefined;
  endMs: number | undefined;
}

const LONGEST_TIMER_MS = 2 ** 31 - 1;

const isBefore = (id: Id, endMs: number | undefined) => endMs === undefined || idTimeMs(id) < endMs;

/**
 * One connection to the filtered stream: the new tweets that match the rules of whose it is, each with those rules. What
 * it cannot deliver ends it, so that its client comes back and asks for the minutes that it missed.
 */
export class FilteredStream implements LiveStream {
  readonly #outlet: Outlet;
  readonly #call: Calls;
  readonly #feed: Feed;
  readonly #delivery: Delivery;
  readonly #inItsWords: Streaming["inItsWords"];
  readonly #rules: RuleSet;
  readonly #streams: Streams;
  #queue: Match[] = [];
  #backfilled: ReadonlySet<Id> = new Set();
  #endMs: number | undefined;
  #delivering = true;

  constructor(outlet: Outlet, { streams, meta, inItsWords }: Streaming, view: TweetView) {
    this.#outlet = outlet;
    this.#streams = streams;
    this.#call = streams.call;
    this.#feed = streams.feed;
    const { key: owner } = ownerOf({ meta });
    this.#delivery = { meta, view, unblocked: true };
    this.#inItsWords = inItsWords;
    this.#rules = streams.rules.take(owner, meta);
    outlet.onClosed(() => streams.rules.release(owner));
  }

  /** Finds what has matched since its beginning, and hears of what comes from now on. Throws what stands in the way. */
  async prepare({ startMs, endMs }: Span): Promise<this> {
    await this.#rules.load();
    if (this.#outlet.closed) return this;
    await this.#feed.subscribe(this.#hear);
    this.#outlet.onClosed(() => this.#feed.unsubscribe(this.#hear));
    // What comes from now on waits for what came before.
    const past = startMs === undefined ? [] : await this.#past(startMs);
    this.#backfilled = new Set(past.map(({ id }) => id));
    this.#queue = [...past, ...this.#queue.filter(({ id }) => !this.#backfilled.has(id))];
    this.#queue = this.#queue.filter(({ id }) => isBefore(id, endMs));
    this.#endMs = endMs;
    return this;
  }

  begin(): void {
    this.#delivering = false;
    void this.#deliver();
    if (this.#endMs === undefined) return;
    // What was written until then is heard of a moment later.
    const ms = Math.max(0, this.#endMs - Date.now()) + limits.streams.pollMs;
    const timer = setTimeout(() => this.#outlet.end(), Math.min(ms, LONGEST_TIMER_MS));
    this.#outlet.onClosed(() => clearTimeout(timer));
  }

  readonly #hear = (tweets: readonly Tweet[]): void => {
    for (const tweet of tweets) {
      const rules = this.#backfilled.has(tweet.id) ? [] : this.#rules.matching(tweet);
      if (rules.length > 0 && isBefore(tweet.id, this.#endMs)) this.#queue.push({ id: tweet.id, rules });
    }
    if (this.#queue.length > limits.streams.queued + this.#backfilled.size) this.#outlet.drop();
    void this.#deliver();
  };

  /** In the order in which they came. */
  async #deliver(): Promise<void> {
    if (this.#delivering) return;
    this.#delivering = true;
    try {
      while (this.#queue.length > 0 && !this.#outlet.closed) {
        const matches = this.#queue.splice(0, limits.lookup);
        const ids = matches.map(({ id }) => id);
        const answers = await answersOf(this.#call, ids, this.#delivery);
        for (const { id, rules } of matches) {
          const answer = answers.get(id);
          const matching_rules = rules.map(({ id, tag }) => ({ id, tag }));
          if (answer)
            this.#outlet.send(`${JSON.stringify(this.#inItsWords({ ...answer, matching_rules }))}\r\n`);
        }
      }
    } catch {
      this.#outlet.end();
    } finally {
      this.#delivering = false;
    }
  }

  #past(startMs: number): Promise<Match[]> {
    const { meta } = this.#delivery;
    const from = { call: this.#call, meta, rules: this.#rules, outlet: this.#outlet };
    return this.#streams.backfills.run(() => matchesSince(startMs, from));
  }
}
