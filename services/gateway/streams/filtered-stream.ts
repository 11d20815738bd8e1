import { limits } from "../../../config/limits.ts";
import { Periodic } from "../../../mixins/periodic.ts";
import { newestFirst } from "../../../mixins/shard-db/ids.ts";
import { scatter } from "../../../mixins/shard-db/scatter.ts";
import type { Id, StreamRule, Tweet } from "../../contracts/actions.ts";
import type { Meta } from "../../contracts/context.ts";
import type { TweetView } from "../present/tweets.ts";
import { type Calls, NOBODY } from "./calls.ts";
import { answerOf } from "./delivery.ts";
import type { Feed } from "./feed.ts";
import type { Outlet } from "./outlet.ts";
import { RuleSet } from "./rule-set.ts";

interface Match {
  id: Id;
  rules: StreamRule[];
}

/** How many rules are searched for at a time, and pages of each at most, where a stream begins in the past. */
const BACKFILL = { width: 4, pages: 10 } as const;

/**
 * One connection to the filtered stream: the new tweets that match the rules of whose it is, each with those rules. What
 * it cannot deliver ends it, so that its client comes back and asks for the minutes that it missed.
 */
export class FilteredStream {
  readonly #outlet: Outlet;
  readonly #call: Calls;
  readonly #feed: Feed;
  readonly #view: TweetView;
  readonly #rules: RuleSet;
  readonly #refresh = new Periodic(limits.streams.refreshMs, () => this.#rules.load());
  #queue: Match[] = [];
  #backfilled: ReadonlySet<Id> = new Set();
  #delivering = true;

  /** `owner`: whose rules they are. */
  constructor(
    outlet: Outlet,
    { call, feed, view, owner }: { call: Calls; feed: Feed; view: TweetView; owner: Meta },
  ) {
    this.#outlet = outlet;
    this.#call = call;
    this.#feed = feed;
    this.#view = view;
    this.#rules = new RuleSet(call, owner);
  }

  /** Begins `minutes` ago. Throws what stands in the way. */
  async start(minutes: number, contentType: string): Promise<void> {
    await this.#rules.load();
    this.#refresh.start();
    this.#outlet.closed.addEventListener("abort", () => this.#stop());
    await this.#feed.subscribe(this.#hear);
    // What comes from now on waits for what came before.
    const past = minutes > 0 ? await this.#past(minutes) : [];
    this.#backfilled = new Set(past.map(({ id }) => id));
    this.#queue = [...past, ...this.#queue.filter(({ id }) => !this.#backfilled.has(id))];
    this.#outlet.open(contentType);
    this.#delivering = false;
    void this.#deliver();
  }

  /** The rules have changed. */
  rulesChanged(): void {
    this.#refresh.soon(0);
  }

  readonly #hear = (tweets: readonly Tweet[]): void => {
    for (const tweet of tweets) {
      const rules = this.#backfilled.has(tweet.id) ? [] : this.#rules.matching(tweet);
      if (rules.length > 0) this.#queue.push({ id: tweet.id, rules });
    }
    if (this.#queue.length > limits.streams.queued + this.#backfilled.size) this.#outlet.drop();
    void this.#deliver();
  };

  /** One after the other, as they came. */
  async #deliver(): Promise<void> {
    if (this.#delivering) return;
    this.#delivering = true;
    try {
      for (let next = this.#queue.shift(); next && !this.#outlet.closed.aborted; next = this.#queue.shift()) {
        const answer = await answerOf(this.#call, next.id, this.#view);
        const matching_rules = next.rules.map(({ id, tag }) => ({ id, tag }));
        if (answer) this.#outlet.send(`${JSON.stringify({ ...answer, matching_rules })}\r\n`);
      }
    } catch {
      this.#outlet.end();
    } finally {
      this.#delivering = false;
    }
  }

  /** What matched in the last minutes, oldest first. */
  async #past(minutes: number): Promise<Match[]> {
    const start_time = new Date(Date.now() - minutes * 60_000).toISOString();
    const found = new Map<Id, StreamRule[]>();
    await scatter(this.#rules.rules, BACKFILL.width, async (rule) => {
      let cursor: string | undefined;
      for (let page = 0; page < BACKFILL.pages; page++) {
        const asked = { query: rule.value, start_time, limit: limits.search.page.max, cursor };
        const { tweets, next_cursor } = await this.#call("tweet.search", asked, NOBODY);
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
