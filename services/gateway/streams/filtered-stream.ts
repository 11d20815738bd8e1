import { limits } from "../../../config/limits.ts";
import { Periodic } from "../../../mixins/periodic.ts";
import { idTimeMs, newestFirst } from "../../../mixins/shard-db/ids.ts";
import { scatter } from "../../../mixins/shard-db/scatter.ts";
import type { Id, StreamRule, Tweet } from "../../contracts/actions.ts";
import type { Streaming } from "../endpoint.ts";
import type { TweetView } from "../present/tweets.ts";
import type { Calls } from "./calls.ts";
import { answersOf, type Delivery } from "./delivery.ts";
import type { Feed } from "./feed.ts";
import type { Outlet } from "./outlet.ts";
import { RuleSet } from "./rule-set.ts";
import type { LiveStream } from "./streams.ts";

/** From when on to when a stream goes, in ms since 1970; undefined: from now on, for ever. */
export interface Span {
  startMs: number | undefined;
  endMs: number | undefined;
}

interface Match {
  id: Id;
  rules: StreamRule[];
}

/** How many rules are searched for at a time, and pages of each at most, where a stream begins in the past. */
const BACKFILL = { width: 4, pages: 10 } as const;

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
  readonly #refresh = new Periodic(limits.streams.refreshMs, () => this.#rules.load());
  #queue: Match[] = [];
  #backfilled: ReadonlySet<Id> = new Set();
  #endMs: number | undefined;
  #delivering = true;

  constructor(outlet: Outlet, { streams: { call, feed }, meta, inItsWords }: Streaming, view: TweetView) {
    this.#outlet = outlet;
    this.#call = call;
    this.#feed = feed;
    this.#delivery = { meta, view, unblocked: true };
    this.#inItsWords = inItsWords;
    this.#rules = new RuleSet(call, meta);
  }

  /** Finds what has matched since its beginning, and hears of what comes from now on. Throws what stands in the way. */
  async prepare({ startMs, endMs }: Span): Promise<this> {
    await this.#rules.load();
    await this.#feed.subscribe(this.#hear);
    this.#outlet.onClosed(() => this.#stop());
    // What comes from now on waits for what came before.
    const past = startMs === undefined ? [] : await this.#past(startMs);
    this.#backfilled = new Set(past.map(({ id }) => id));
    this.#queue = [...past, ...this.#queue.filter(({ id }) => !this.#backfilled.has(id))];
    this.#queue = this.#queue.filter(({ id }) => isBefore(id, endMs));
    this.#endMs = endMs;
    return this;
  }

  begin(): void {
    this.#refresh.start();
    // They may have changed since they were read.
    this.#refresh.soon(0);
    this.#delivering = false;
    void this.#deliver();
    if (this.#endMs === undefined) return;
    // What was written until then is heard of a moment later.
    const ms = Math.max(0, this.#endMs - Date.now()) + limits.streams.pollMs;
    const timer = setTimeout(() => this.#outlet.end(), Math.min(ms, LONGEST_TIMER_MS));
    this.#outlet.onClosed(() => clearTimeout(timer));
  }

  /** The rules have changed. */
  rulesChanged(): void {
    this.#refresh.soon(0);
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

  /** What has matched since a time, oldest first. */
  async #past(startMs: number): Promise<Match[]> {
    const start_time = new Date(startMs).toISOString();
    const found = new Map<Id, StreamRule[]>();
    await scatter(this.#rules.rules, BACKFILL.width, async (rule) => {
      let cursor: string | undefined;
      for (let page = 0; page < BACKFILL.pages; page++) {
        const asked = { query: rule.value, start_time, limit: limits.search.page.max, cursor };
        const { tweets, next_cursor } = await this.#call("tweet.search", asked, this.#delivery.meta);
        for (const { id } of tweets) found.set(id, [...(found.get(id) ?? []), rule]);
        cursor = next_cursor;
        if (!cursor) break;
      }
    });
    return [...found].map(([id, rules]) => ({ id, rules })).sort((a, b) => newestFirst(b.id, a.id));
  }

  #stop(): void {
    this.#feed.unsubscribe(this.#hear);
    void this.#refresh.stop();
  }
}
