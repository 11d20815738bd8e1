import type { Metrics } from "../../mixins/metrics.ts";
import { RedisDown, type RedisStore } from "../../mixins/redis/index.ts";
import { type Slice, WHOLE, type Window } from "../../mixins/redis/windowed-list.ts";
import { idAfter, newestFirst } from "../../mixins/shard-db/ids.ts";
import type { ShardDb } from "../../mixins/shard-db/index.ts";
import type { Id, TimelinePage, TimelineQuery, Tweet } from "../contracts/actions.ts";
import { cursorsAround, readCursor } from "../contracts/cursor.ts";
import { RoostError } from "../contracts/errors.ts";
import { TweetCache } from "../tweet/tweet-cache.ts";
import { UserReader } from "../user/user-reader.ts";
import { HomeCache } from "./home-cache.ts";
import { intersect, mergeWindows, type Range } from "./merge.ts";
import { belongsInHome } from "./rules.ts";
import { relationsOf, tweetsOf } from "./timeline.repo.ts";

/** What a page is asked for: a range of ids, how many, and from which end of the range. */
interface Ask {
  range: Range;
  limit: number;
  /** The entries next newer than `range.after`, instead of the newest ones. */
  nextNewer: boolean;
}

/** Picks those of some candidates that the reader may see, in their order. */
type Show = (ids: Id[]) => Promise<Tweet[]>;

/**
 * Home and author timelines, in four steps: skeleton (candidate ids from the windowed lists), hydration (bodies, state,
 * relations), rules (what the viewer may see), presentation (the page with its cursors and authors). Below the lists'
 * floor, and whenever Redis is away, the skeleton comes from Postgres.
 */
export class Timelines {
  readonly #db: ShardDb;
  readonly #metrics: Metrics;
  readonly #tweets: TweetCache;
  readonly #users: UserReader;
  readonly #cache: HomeCache | undefined;

  constructor(db: ShardDb, redis: RedisStore | undefined, metrics: Metrics) {
    this.#db = db;
    this.#metrics = metrics;
    this.#tweets = new TweetCache(db, redis);
    this.#users = new UserReader({ db, redis });
    this.#cache = redis && new HomeCache(db, redis, metrics);
  }

  /** The viewer's home timeline: tweets of followed users and their own. */
  async home(viewer: Id, query: TimelineQuery): Promise<TimelinePage> {
    return this.#page(query, (ask) =>
      this.#withCache(
        ask,
        (cache, slice) => cache.windows(viewer, slice),
        (cache) => (ids) => this.#showHome(cache, viewer, ids),
        (rest) => this.#homeFromPostgres(viewer, rest),
      ),
    );
  }

  /** An author's tweets. Throws 404 where there is no such user, 403 across a block. */
  async author(viewer: Id, query: TimelineQuery): Promise<TimelinePage> {
    const author = query.user_id;
    await this.#requireReadable(viewer, author);
    const page = await this.#page(query, (ask) =>
      this.#withCache(
        ask,
        (cache, slice) => cache.authorWindows([author], slice),
        () => (ids) => this.#showAlive(ids),
        ({ range, limit, nextNewer }) => tweetsOf(this.#db, [author], range, limit, nextNewer),
      ),
    );
    if (page.tweets.length === 0 && !(await this.#users.get([author])).has(author)) throw unknownUser(author);
    return page;
  }

  /** Presentation: cuts the page, adds cursors and authors. */
  async #page(query: TimelineQuery, fetch: (ask: Ask) => Promise<Tweet[]>): Promise<TimelinePage> {
    const from = readCursor(query.cursor);
    const nextNewer = from.after !== undefined;
    const range = intersect(from, { before: query.until_id, after: query.since_id });
    // One more than asked for tells whether there is a next page.
    const found = await fetch({ range, limit: query.limit + 1, nextNewer });
    const full = found.length > query.limit;
    const tweets = nextNewer ? found.slice(-query.limit) : found.slice(0, query.limit);
    const users = query.with_authors
      ? await this.#users.get(
          tweets.map((tweet) => tweet.author_id),
          { withMetrics: query.with_metrics },
        )
      : new Map();
    return {
      tweets,
      users: [...users.values()],
      ...cursorsAround({ newest: tweets[0]?.id, oldest: tweets.at(-1)?.id, from, full }),
    };
  }

  /** Skeleton and hydration through Redis as far as the lists reach, through Postgres beyond them and without Redis. */
  async #withCache(
    ask: Ask,
    windowsOf: (cache: HomeCache, slice: Slice) => Promise<Window[] | undefined>,
    showOf: (cache: HomeCache) => Show,
    fromPostgres: (ask: Ask) => Promise<Tweet[]>,
  ): Promise<Tweet[]> {
    const cache = this.#cache?.readable ? this.#cache : undefined;
    try {
      const page =
        cache && (await fromWindows((slice) => windowsOf(cache, slice), ask, showOf(cache), fromPostgres));
      if (page) {
        this.#metrics.homeReads.inc({ source: "redis" });
        return page;
      }
    } catch (error) {
      if (!(error instanceof RedisDown)) throw error;
    }
    this.#metrics.homeReads.inc({ source: "postgres" });
    return fromPostgres(ask);
  }

  async #showHome(cache: HomeCache, viewer: Id, ids: Id[]): Promise<Tweet[]> {
    const bodies = await this.#tweets.bodies(ids);
    const authors = new Set([...bodies.values()].map((tweet) => tweet.author_id));
    authors.delete(viewer);
    const [alive, standings] = await Promise.all([
      this.#tweets.alive(ids),
      cache.standing(viewer, [...authors]),
    ]);
    if (!standings) throw new RedisDown("the viewer's relations could not be had in time");
    return ids.flatMap((id) => {
      const tweet = bodies.get(id);
      if (!tweet) return [];
      const candidate = { tweet, alive: alive.has(id), standing: standings.get(tweet.author_id) };
      return belongsInHome(viewer, candidate) ? tweet : [];
    });
  }

  async #showAlive(ids: Id[]): Promise<Tweet[]> {
    const tweets = await this.#tweets.get(ids);
    return ids.flatMap((id) => tweets.get(id) ?? []);
  }

  /** The home timeline straight from the truth: what Redis would be filled from. */
  async #homeFromPostgres(viewer: Id, { range, limit, nextNewer }: Ask): Promise<Tweet[]> {
    const { following, blocked, muted } = await relationsOf(this.#db, viewer);
    const hidden = new Set([...blocked, ...muted]);
    const authors = [viewer, ...following.filter((author) => !hidden.has(author))];
    return tweetsOf(this.#db, authors, range, limit, nextNewer);
  }

  async #requireReadable(viewer: Id, author: Id): Promise<void> {
    if (viewer === author) return;
    if (await this.#blocked(viewer, author)) {
      throw new RoostError("FORBIDDEN", "A block stands between you and this user.", {
        errors: [{ message: "is the id of a user you cannot read", parameters: { id: [author] } }],
      });
    }
  }

  async #blocked(viewer: Id, author: Id): Promise<boolean> {
    try {
      const cache = this.#cache?.readable ? this.#cache : undefined;
      const standing = (await cache?.standing(viewer, [author]))?.get(author);
      if (standing) return standing.blocked;
    } catch (error) {
      if (!(error instanceof RedisDown)) throw error;
    }
    return (await relationsOf(this.#db, viewer)).blocked.includes(author);
  }
}

/** How many entries of a list are read for a page: some may be hidden. */
const withSlack = (limit: number): number => limit + Math.ceil(limit / 4) + 5;

/**
 * Takes what may be shown from slices of the merged lists, one after the other, then goes on below their floor in
 * Postgres. undefined where a list could not be had in time.
 */
async function fromWindows(
  windowsOf: (slice: Slice) => Promise<Window[] | undefined>,
  ask: Ask,
  show: Show,
  fromPostgres: (ask: Ask) => Promise<Tweet[]>,
): Promise<Tweet[] | undefined> {
  const { limit, nextNewer } = ask;
  const page: Tweet[] = [];
  for (let range = ask.range; ; ) {
    const windows = await windowsOf({
      before: range.before,
      count: nextNewer ? WHOLE : withSlack(limit - page.length),
    });
    if (!windows) return undefined;
    const { ids, floor, cut } = mergeWindows(windows, range);
    const reaches = range.after !== undefined && newestFirst(range.after, floor) <= 0;
    if (nextNewer) return reaches ? (await take(ids.reverse(), limit, show)).reverse() : fromPostgres(ask);
    page.push(...(await take(ids, limit - page.length, show)));
    if (page.length === limit || floor === "0" || reaches) return page;
    range = intersect(range, { before: idAfter(floor) });
    if (!cut) return [...page, ...(await fromPostgres({ range, limit: limit - page.length, nextNewer }))];
  }
}

async function take(ids: Id[], limit: number, show: Show): Promise<Tweet[]> {
  const shown: Tweet[] = [];
  for (let at = 0; at < ids.length && shown.length < limit; ) {
    const chunk = ids.slice(at, at + limit - shown.length);
    at += chunk.length;
    shown.push(...(await show(chunk)));
  }
  return shown;
}

function unknownUser(id: Id): RoostError {
  return new RoostError("NOT_FOUND", `Could not find user with id: [${id}].`, {
    errors: [{ message: "names no user", parameters: { id: [id] } }],
  });
}
