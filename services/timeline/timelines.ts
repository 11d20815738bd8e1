import { limits } from "../../config/limits.ts";
import { Gate } from "../../mixins/gate.ts";
import type { Metrics } from "../../mixins/metrics.ts";
import { RedisDown, type RedisStore } from "../../mixins/redis/index.ts";
import type { Slice, Window } from "../../mixins/redis/windowed-list.ts";
import type { ShardDb } from "../../mixins/shard-db/index.ts";
import { cursorsAround, readCursor } from "../contracts/cursor.ts";
import { RoostError } from "../contracts/errors.ts";
import type { TimelinePage, TimelineQuery, Tweet } from "../contracts/tweets.ts";
import type { Id } from "../contracts/users.ts";
import { blockedAmong } from "../graph/edges.repo.ts";
import { Expander } from "../tweet/expansions.ts";
import { idsAndOriginals, isExcluded } from "../tweet/references.ts";
import { existingIds } from "../tweet/tweet.repo.ts";
import { TweetCache } from "../tweet/tweet-cache.ts";
import { UserReader } from "../user/user-reader.ts";
import { HomeCache } from "./home-cache.ts";
import { intersect, rangeOf } from "./merge.ts";
import { type Ask, pageFromRows, pageFromWindows } from "./paging.ts";
import {
  authorsNamedBy,
  belongsInHome,
  belongsInMentions,
  belongsOnPage,
  type Known,
  type Standing,
} from "./rules.ts";
import { mentionsOf, type Relations, relationsOf, standingsIn, tweetsOf } from "./timeline.repo.ts";

/** Whether a tweet is shown, given what is known about it. */
type Rule = (tweet: Tweet, known: Known) => boolean;

/** Finds what a rule shows. */
type Find = (ask: Ask, rule: Rule) => Promise<Tweet[]>;

/** Where the candidates of a page come from, with and without Redis. */
interface Skeleton {
  windows(cache: HomeCache, slice: Slice): Promise<Window[] | undefined>;
  /** The authors whose tweets are candidates. */
  authors(relations: Relations): Id[];
}

/**
 * Home and author timelines, in four steps: skeleton (candidates from the windowed lists), hydration (bodies, state,
 * relations), rules (what the viewer may see), presentation (the page with its cursors and authors). Below the lists'
 * floor, and whenever Redis is away, the skeleton comes from Postgres.
 */
export class Timelines {
  readonly #db: ShardDb;
  readonly #metrics: Metrics;
  readonly #tweets: TweetCache;
  readonly #users: UserReader;
  readonly #expander: Expander;
  readonly #cache: HomeCache | undefined;
  /** However many timelines are cold, Postgres has time and connections for others too. */
  readonly #cold = new Gate("The timeline", limits.coldReads);

  /** `countsReads`: reads of home timelines, for the fan-out policy. */
  constructor(db: ShardDb, redis: RedisStore | undefined, metrics: Metrics, countsReads = false) {
    this.#db = db;
    this.#metrics = metrics;
    this.#tweets = new TweetCache(db, redis);
    this.#users = new UserReader({ db, redis });
    this.#expander = new Expander(this.#tweets, this.#users, (viewer, authors) =>
      this.#blockedAmong(viewer, authors),
    );
    this.#cache = redis && new HomeCache(db, redis, metrics, this.#cold, countsReads);
  }

  /** The viewer's home timeline: tweets, retweets and replies of followed users and their own (see belongsInHome). */
  async home(viewer: Id, query: TimelineQuery): Promise<TimelinePage> {
    const skeleton: Skeleton = {
      windows: (cache, slice) => cache.windows(viewer, slice),
      authors: ({ following, blocked, muted }) => {
        const hidden = new Set([...blocked, ...muted]);
        return [viewer, ...following.filter((author) => !hidden.has(author))];
      },
    };
    return this.#page(
      viewer,
      query,
      (ask, rule) => this.#find(viewer, ask, skeleton, rule),
      (tweet, known) => belongsInHome(viewer, tweet, known),
    );
  }

  /** The authors whose tweets the viewer's home timeline can hold, the viewer among them. */
  async authors(viewer: Id): Promise<Id[]> {
    return [viewer, ...(await relationsOf(this.#db, viewer)).following];
  }

  /** An author's tweets; without a viewer, as nobody in particular sees them. Throws 404 where there is no such user, 403 across a block. */
  async author(viewer: Id | undefined, query: TimelineQuery): Promise<TimelinePage> {
    const author = query.user_id;
    if (viewer) await this.#requireReadable(viewer, author);
    const skeleton: Skeleton = {
      windows: (cache, slice) => cache.authorWindows([author], slice),
      authors: () => [author],
    };
    const page = await this.#page(
      viewer,
      query,
      (ask, rule) => this.#find(viewer, ask, skeleton, rule),
      belongsOnPage,
    );
    return this.#ofSomebody(author, page);
  }

  /** The tweets that mention a user, without those of authors hidden from the viewer. Throws 404 where there is no such user. */
  async mentions(viewer: Id | undefined, query: TimelineQuery): Promise<TimelinePage> {
    const standings = standingsIn(await this.#relations(viewer));
    const find: Find = (ask, rule) =>
      pageFromRows(
        (rest) => mentionsOf(this.#db, query.user_id, rest),
        ask,
        async (edges) => {
          const tweets = await this.#tweets.show(edges.map(({ id }) => id));
          const alive = new Set(idsAndOriginals(tweets));
          return tweets.filter((tweet) => rule(tweet, { alive, standings }));
        },
      );
    const page = await this.#page(viewer, query, find, (tweet, known) =>
      belongsInMentions(viewer, tweet, known),
    );
    return this.#ofSomebody(query.user_id, page);
  }

  /** Presentation: cuts the page, adds cursors, counts and what it expands to. */
  async #page(viewer: Id | undefined, query: TimelineQuery, find: Find, rule: Rule): Promise<TimelinePage> {
    const from = readCursor(query.cursor);
    const nextNewer = from.after !== undefined;
    // One more than asked for tells whether there is a next page.
    const ask = { range: intersect(from, rangeOf(query)), limit: query.limit + 1, nextNewer };
    const shown: Rule = (tweet, known) => !isExcluded(tweet, query.exclude) && rule(tweet, known);
    const found = await find(ask, shown);
    const full = found.length > query.limit;
    const page = nextNewer ? found.slice(-query.limit) : found.slice(0, query.limit);
    const [tweets, included] = await Promise.all([
      query.with_tweet_metrics ? this.#tweets.count(page) : page,
      this.#expander.of(page, query, viewer),
    ]);
    return {
      tweets,
      ...included,
      ...cursorsAround({ newest: page[0]?.id, oldest: page.at(-1)?.id, from, full }),
    };
  }

  /** Through Redis as far as the lists reach, through Postgres beyond them and without Redis. */
  async #find(viewer: Id | undefined, ask: Ask, skeleton: Skeleton, rule: Rule): Promise<Tweet[]> {
    const fromPostgres = (rest: Ask) =>
      this.#cold.run(() => this.#findInPostgres(viewer, rest, skeleton, rule));
    const cache = this.#cache?.readable ? this.#cache : undefined;
    try {
      const page =
        cache &&
        (await pageFromWindows(
          (slice) => skeleton.windows(cache, slice),
          ask,
          (ids) => this.#show(cache, viewer, ids, rule),
          fromPostgres,
        ));
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

  /** Hydration and rules, from Redis. */
  async #show(cache: HomeCache, viewer: Id | undefined, ids: Id[], rule: Rule): Promise<Tweet[]> {
    const bodies = await this.#tweets.bodies(ids);
    const tweets = ids.flatMap((id) => bodies.get(id) ?? []);
    const authors = authorsNamedBy(tweets);
    if (viewer) authors.delete(viewer);
    const [alive, standings] = await Promise.all([
      this.#tweets.alive(idsAndOriginals(tweets)),
      viewer ? cache.standing(viewer, [...authors]) : new Map<Id, Standing>(),
    ]);
    if (!standings) throw new RedisDown("the viewer's relations could not be had in time");
    return tweets.filter((tweet) => rule(tweet, { alive, standings }));
  }

  /** The timeline straight from the truth: what Redis would be filled from. */
  async #findInPostgres(viewer: Id | undefined, ask: Ask, skeleton: Skeleton, rule: Rule): Promise<Tweet[]> {
    const relations = await this.#relations(viewer);
    const standings = standingsIn(relations);
    const authors = skeleton.authors(relations);
    return pageFromRows(
      ({ range, limit, nextNewer }) => tweetsOf(this.#db, authors, range, limit, nextNewer),
      ask,
      async (tweets) => {
        const existing = await existingIds(this.#db, idsAndOriginals(tweets));
        const alive = new Set(existing.map(({ id }) => id));
        return tweets.filter((tweet) => rule(tweet, { alive, standings }));
      },
    );
  }

  /** Nobody in particular has no relations. */
  async #relations(viewer: Id | undefined): Promise<Relations> {
    return viewer ? relationsOf(this.#db, viewer) : { following: [], blocked: [], muted: [] };
  }

  async #ofSomebody(user: Id, page: TimelinePage): Promise<TimelinePage> {
    if (page.tweets.length === 0 && !(await this.#users.get([user])).has(user)) throw unknownUser(user);
    return page;
  }

  async #requireReadable(viewer: Id, author: Id): Promise<void> {
    if (viewer === author) return;
    if ((await this.#blockedAmong(viewer, [author])).has(author)) {
      throw new RoostError("FORBIDDEN", "A block stands between you and this user.", {
        errors: [{ message: "is the id of a user you cannot read", parameters: { id: [author] } }],
      });
    }
  }

  /** Which of some authors a block stands between and a viewer. */
  async #blockedAmong(viewer: Id, authors: readonly Id[]): Promise<Set<Id>> {
    const others = authors.filter((author) => author !== viewer);
    try {
      const cache = this.#cache?.readable ? this.#cache : undefined;
      const standings = await cache?.standing(viewer, others);
      if (standings) return new Set(others.filter((author) => standings.get(author)?.blocked));
    } catch (error) {
      if (!(error instanceof RedisDown)) throw error;
    }
    return blockedAmong(this.#db, viewer, others);
  }
}

function unknownUser(id: Id): RoostError {
  return new RoostError("NOT_FOUND", `Could not find user with id: [${id}].`, {
    errors: [{ message: "names no user", parameters: { id: [id] } }],
  });
}
