import { limits } from "../../../config/limits.ts";
import { Periodic } from "../../../mixins/periodic.ts";
import { newestFirst } from "../../../mixins/shard-db/ids.ts";
import type { Excludable, Id, Tweet, Viewer } from "../../contracts/actions.ts";
import type { TweetView } from "../present/tweets.ts";
import type { Calls } from "./calls.ts";
import { answerOf } from "./delivery.ts";
import type { Feed } from "./feed.ts";
import { earlier, oldestOf } from "./id-time.ts";
import type { Outlet } from "./outlet.ts";

/** How long a tweet of a followed author is waited for that is not in the timeline: fan-out may lag, or a rule hides it. */
const AWAITED_MS = 60_000;
const PAGE = limits.timelinePage.max;

export interface HomeStreamOptions {
  call: Calls;
  feed: Feed;
  viewer: Viewer;
  view: TweetView;
  exclude: readonly Excludable[] | undefined;
}

/**
 * One connection to the stream of a home timeline: what `timeline.home` shows is sent, as soon as it shows it. A new tweet
 * of a followed author is the nudge to look; looks go some seconds back, for what reaches the timeline late; a look without
 * a nudge comes every few seconds. So nothing is lost, whatever nudge is, and nothing is sent twice.
 */
export class HomeStream {
  readonly #outlet: Outlet;
  readonly #options: HomeStreamOptions;
  readonly #looks = new Periodic(limits.streams.homePollMs, () => this.#look());
  readonly #refresh = new Periodic(limits.streams.refreshMs, () => this.#learn());
  #authors: ReadonlySet<Id> = new Set();
  /** Everything newer has to be looked at again. */
  #since: Id = "1";
  #sent = new Set<Id>();
  /** Tweets that should show, and how often they did not. */
  #awaited = new Map<Id, { until: number; tries: number }>();

  constructor(outlet: Outlet, options: HomeStreamOptions) {
    this.#outlet = outlet;
    this.#options = options;
  }

  /** Begins now, or after the event that a client saw last. Throws what stands in the way. */
  async start(lastSeen: Id | undefined, contentType: string): Promise<void> {
    this.#outlet.closed.addEventListener("abort", () => this.#stop());
    await this.#options.feed.subscribe(this.#hear);
    await this.#learn();
    const now = this.#options.feed.floor;
    this.#since = earlier(lastSeen ? oldestOf([lastSeen, now]) : now, limits.streams.overlapMs);
    const { ids, more } = await this.#timeline();
    this.#sent = new Set(lastSeen ? [lastSeen] : ids);
    this.#outlet.open(contentType);
    if (lastSeen && more)
      this.#outlet.send(`event: gap\ndata: ${JSON.stringify({ until_id: ids.at(-1) })}\n\n`);
    this.#refresh.start();
    this.#looks.start();
    this.#looks.soon(0);
  }

  /** The viewer follows somebody else than before. */
  followed(): void {
    this.#refresh.soon(0);
  }

  readonly #hear = (tweets: readonly Tweet[]): void => {
    const theirs = tweets.filter(({ author_id }) => this.#authors.has(author_id));
    for (const { id } of theirs) this.#awaited.set(id, { until: Date.now() + AWAITED_MS, tries: 0 });
    if (theirs.length > 0) this.#looks.soon(0);
  };

  async #learn(): Promise<void> {
    const { call, viewer } = this.#options;
    this.#authors = new Set(await call("timeline.authors", {}, { viewer }));
    this.#looks.soon(0);
  }

  /** Sends what is new. What it could not send is new to the next look as well. */
  async #look(): Promise<void> {
    const { call, feed, view } = this.#options;
    const floor = feed.floor;
    const { ids } = await this.#timeline();
    for (const id of ids.toReversed()) {
      if (this.#sent.has(id) || this.#outlet.closed.aborted) continue;
      const answer = await answerOf(call, id, view);
      this.#sent.add(id);
      if (answer) this.#outlet.send(`id: ${id}\ndata: ${JSON.stringify(answer)}\n\n`);
    }
    this.#settle(new Set(ids), floor);
  }

  /** Forgets what has come and what need not be looked at again; plans another look for what has not come. */
  #settle(shown: ReadonlySet<Id>, floor: Id): void {
    const now = Date.now();
    let soonest = Number.POSITIVE_INFINITY;
    for (const [id, awaited] of this.#awaited) {
      if (shown.has(id) || awaited.until < now) this.#awaited.delete(id);
      else soonest = Math.min(soonest, limits.streams.homeRetriesMs[awaited.tries++] ?? soonest);
    }
    if (Number.isFinite(soonest)) this.#looks.soon(soonest);
    this.#since = earlier(oldestOf([floor, ...this.#awaited.keys()]), limits.streams.overlapMs);
    this.#sent = new Set([...this.#sent].filter((id) => newestFirst(id, this.#since) < 0));
  }

  /** The timeline since `#since`, newest first, as far as it is replayed; `more`: there is more of it. */
  async #timeline(): Promise<{ ids: Id[]; more: boolean }> {
    const { call, viewer, exclude } = this.#options;
    const ids: Id[] = [];
    let cursor: string | undefined;
    do {
      const asked = { user_id: viewer.userId, since_id: this.#since, limit: PAGE, cursor, exclude };
      const { tweets, next_cursor } = await call("timeline.home", asked, { viewer });
      ids.push(...tweets.map(({ id }) => id));
      cursor = next_cursor;
    } while (cursor && ids.length < limits.streams.replayed);
    return { ids, more: cursor !== undefined };
  }

  #stop(): void {
    this.#options.feed.unsubscribe(this.#hear);
    void this.#looks.stop();
    void this.#refresh.stop();
  }
}
