import { limits } from "../../../config/limits.ts";
import { Periodic } from "../../../mixins/periodic.ts";
import { newestFirst } from "../../../mixins/shard-db/ids.ts";
import type { Viewer } from "../../contracts/sessions.ts";
import type { Excludable, Tweet } from "../../contracts/tweets.ts";
import type { Id } from "../../contracts/users.ts";
import type { Streaming } from "../endpoint.ts";
import type { TweetView } from "../present/tweets.ts";
import { answersOf } from "./delivery.ts";
import { earlier, oldestOf } from "./id-time.ts";
import type { Outlet } from "./outlet.ts";
import type { LiveStream } from "./streams.ts";

/** How long a tweet of a followed author is waited for that is not in the timeline: fan-out may lag, or a rule hides it. */
const AWAITED_MS = 60_000;

export interface HomeStreamOptions extends Pick<Streaming, "streams" | "inItsWords"> {
  viewer: Viewer;
  view: TweetView;
  exclude: readonly Excludable[] | undefined;
}

/**
 * One connection to the stream of a home timeline: what `timeline.home` shows is sent, as soon as it shows it. A new tweet
 * of a followed author is the nudge to look; looks go some seconds back, for what reaches the timeline late; a look without
 * a nudge comes every few seconds. So nothing is lost, whatever nudge is, and nothing is sent twice.
 */
export class HomeStream implements LiveStream {
  readonly #outlet: Outlet;
  readonly #options: HomeStreamOptions;
  readonly #looks = new Periodic(limits.streams.homePollMs, () => this.#look());
  readonly #refresh = new Periodic(limits.streams.refreshMs, () => this.#learn());
  #authors: ReadonlySet<Id> = new Set();
  /** Everything newer has to be looked at again. */
  #since: Id = "1";
  #sent = new Set<Id>();
  /** More was missed than is replayed: it is to be read from the timeline. */
  #gapBefore: Id | undefined;
  /** Tweets that should show, until when they are waited for, and how often they did not show. */
  readonly #awaited = new Map<Id, { until: number; tries: number }>();

  constructor(outlet: Outlet, options: HomeStreamOptions) {
    this.#outlet = outlet;
    this.#options = options;
  }

  /** Begins now, or after the event that a client saw last. Throws what stands in the way. */
  async prepare(lastSeen: Id | undefined): Promise<this> {
    const { feed } = this.#options.streams;
    await feed.subscribe(this.#hear);
    this.#outlet.onClosed(() => this.#stop());
    await this.#learn();
    this.#since = earlier(oldestOf([feed.floor, ...(lastSeen ? [lastSeen] : [])]), limits.streams.overlapMs);
    const { ids, more } = await this.#timeline();
    this.#sent = new Set(lastSeen ? [lastSeen] : ids);
    if (lastSeen && more) this.#gapBefore = ids.at(-1);
    return this;
  }

  begin(): void {
    if (this.#gapBefore) this.#send("event: gap", { until_id: this.#gapBefore });
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
    const { streams, viewer } = this.#options;
    this.#authors = new Set(await streams.call("timeline.authors", {}, { viewer }));
    this.#looks.soon(0);
  }

  /** Sends what is new. What it could not send is new to the next look as well. */
  async #look(): Promise<void> {
    const { streams, viewer, view, inItsWords } = this.#options;
    const { floor } = streams.feed;
    const { ids } = await this.#timeline();
    const due = ids.toReversed().filter((id) => !this.#sent.has(id));
    for (let first = 0; first < due.length && !this.#outlet.closed; first += limits.lookup) {
      const some = due.slice(first, first + limits.lookup);
      const answers = await answersOf(streams.call, some, { meta: { viewer }, view });
      for (const id of some) {
        const answer = answers.get(id);
        this.#sent.add(id);
        if (answer) this.#send(`id: ${id}`, inItsWords(answer));
      }
    }
    this.#settle(new Set(ids), floor);
  }

  #send(field: string, data: object): void {
    this.#outlet.send(`${field}\ndata: ${JSON.stringify(data)}\n\n`);
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
    const { streams, viewer, exclude } = this.#options;
    const asked = { user_id: viewer.userId, since_id: this.#since, limit: limits.timelinePage.max, exclude };
    const ids: Id[] = [];
    let cursor: string | undefined;
    do {
      const { tweets, next_cursor } = await streams.call("timeline.home", { ...asked, cursor }, { viewer });
      ids.push(...tweets.map(({ id }) => id));
      cursor = next_cursor;
    } while (cursor && ids.length < limits.streams.replayed && !this.#outlet.closed);
    return { ids, more: cursor !== undefined };
  }

  #stop(): void {
    this.#options.streams.feed.unsubscribe(this.#hear);
    void this.#looks.stop();
    void this.#refresh.stop();
  }
}
