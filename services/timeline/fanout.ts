import type { FanoutPolicy } from "../../config/env.ts";
import { Loader } from "../../mixins/loader.ts";
import type { Metrics } from "../../mixins/metrics.ts";
import type { OutboxJob } from "../../mixins/outbox.repo.ts";
import type { JobHandler, Outcome, PageHandler } from "../../mixins/outbox-worker.ts";
import type { RedisStore } from "../../mixins/redis/index.ts";
import { ignoreDown } from "../../mixins/redis/leased.ts";
import { changeSets } from "../../mixins/redis/marked-set.ts";
import { leaseMs, pushToWindows } from "../../mixins/redis/windowed-list.ts";
import { idTimeMs, isId } from "../../mixins/shard-db/ids.ts";
import type { ShardDb } from "../../mixins/shard-db/index.ts";
import type { Id } from "../contracts/users.ts";
import { TweetCache } from "../tweet/tweet-cache.ts";
import {
  authorNow,
  changeMode,
  enqueueModeJob,
  type FollowerCursor,
  firstFollowers,
  followersAfter,
  type TweetNow,
  tweetsNow,
} from "./fanout.repo.ts";
import type { Rates } from "./fanout-cost.ts";
import { type Author, heading, isPushed, measuringChance, nextMode, wantedMode } from "./fanout-policy.ts";
import { unmeasured } from "./fanout-rates.repo.ts";
import { RateMeter } from "./fanout-rates.ts";

/** Authors of a shard who are reviewed at a time. */
const REVIEWED = 50;

/** Tweets, and pages of followers, that one statement reads: not so many rows that they hold up the process. */
const READ_TOGETHER = { tweets: 64, pages: 8 } as const;

interface FanoutOptions {
  db: ShardDb;
  /** For what this process reads and writes besides pushing. */
  redis: RedisStore | undefined;
  /** A connection of its own for pushes: waiting for replicas holds nobody else up. */
  pushes: RedisStore | undefined;
  metrics: Metrics;
  policy: FanoutPolicy;
  /** ms; that of every process. */
  homeListMaxAgeMs: number;
  /** Followers to a page. */
  page: number;
}

/** Delivers tweets into home lists, page by page of followers, and moves authors between push and pull. */
export class Fanout {
  readonly #options: FanoutOptions;
  readonly #tweets: TweetCache;
  readonly #meter: RateMeter | undefined;
  /** What the jobs of a batch ask for at the same time is read together. */
  readonly #reads: Loader<Id, TweetNow | undefined>;
  readonly #firstPages: Loader<Id, FollowerCursor[]>;

  constructor(options: FanoutOptions) {
    const { db, page } = options;
    this.#options = options;
    this.#reads = new Loader(READ_TOGETHER.tweets, (ids) => tweetsNow(db, ids));
    this.#firstPages = new Loader(READ_TOGETHER.pages, (authors) => firstFollowers(db, authors, page));
    // On the connection of the pushes, so that one wait for a replica covers both.
    this.#tweets = new TweetCache(options.db, options.pushes);
    this.#meter = options.redis && new RateMeter(options.db, options.redis);
  }

  /** Works on a "tweet" job: shows the tweet to followers, or hides it where it is gone. */
  readonly tweet: PageHandler = (job) => {
    const { pushes } = this.#options;
    // A deposed master may swallow what it is sent: done is only what a failover would keep.
    return pushes ? pushes.durably(() => this.#deliver(job)) : this.#deliver(job);
  };

  /**
   * Works on a "mode" job: takes an author to the wanted mode.
   *
   *   push → entering → pull → leaving → push        leaving → entering
   *
   * Pushes stop only once every reader looks for the author (entering → pull). Readers go on looking until every list
   * that lacks what was not pushed has expired (leaving → push): the job for that step is queued when the author is seen
   * to be leaving, to be run after the longest life of a list, so that no clock is compared with another one.
   */
  readonly mode: JobHandler = async ({ key }) => {
    const author = idIn(key, "author");
    const { db, redis, policy } = this.#options;
    for (;;) {
      const now = await authorNow(db, author);
      const next = nextMode(now.mode, wantedMode(now, policy));
      if (!next) {
        // Here, so that it is also done where an earlier attempt died after the change. Filled anew by the next reader: to
        // take the author out could undo a later announcement.
        if (now.mode === "push" && leftIn(key)) await redis?.delete(redis.keys.allPulled());
        return "done";
      }
      if (next === "push" && leftIn(key) !== now.stay) {
        await enqueueModeJob(db, { author, left: now.stay }, this.#longestLifeMs);
        return "done";
      }
      if (next === "pull" && redis) await changeSets(redis, redis.keys.allPulled(), "add", author);
      await changeMode(db, author, now, next);
    }
  };

  /** Measures pulled authors who have not been measured for so many ms: those who tweet no more, at least. */
  async review(ageMs: number): Promise<void> {
    const { db } = this.#options;
    for (const shard of db.shards) {
      for (const { id } of await unmeasured(db, shard, ageMs, REVIEWED)) {
        await this.#measure(id, await authorNow(db, id));
        await enqueueModeJob(db, { author: id });
      }
    }
  }

  /** Queues a look at an author's mode where it is not the wanted one, measured anew at some of the tweets. */
  async #reconsider(id: Id, author: Author): Promise<void> {
    const { db, policy } = this.#options;
    // For the sake of a measurement nobody's delivery waits for Redis.
    const rates = (await this.#ratesNow(id, author).catch(ignoreDown)) ?? author.rates;
    if (wantedMode({ ...author, rates }, policy) !== heading(author.mode)) {
      await enqueueModeJob(db, { author: id });
    }
  }

  async #ratesNow(id: Id, author: Author): Promise<Rates | undefined> {
    const { policy } = this.#options;
    if (policy !== "cost" || author.pinned || Math.random() >= measuringChance(author)) return undefined;
    if (author.measuredAgo !== undefined) return this.#measure(id, author);
    await this.#meter?.begin(id);
    return undefined;
  }

  async #measure(id: Id, { followers }: Author): Promise<Rates | undefined> {
    this.#options.metrics.fanoutMeasurements.inc();
    return this.#meter?.measure(id, followers);
  }

  /** How long a home list may live after it was asked of Postgres (ms). */
  get #longestLifeMs(): number {
    const maxAgeMs = this.#options.homeListMaxAgeMs;
    return maxAgeMs + leaseMs({ maxAgeMs });
  }

  async #deliver({ key, cursor }: OutboxJob): Promise<Outcome> {
    const id = idIn(key, "id");
    const found = await this.#reads.load(id);
    if (!found) {
      await this.#tweets.hide([id]);
      return "done";
    }
    const { tweet, author } = found;
    if (!cursor) await this.#tweets.publish(tweet, "known");
    // Asked anew for each page: what a page of a pulled author leaves out, readers already come for.
    const outcome = isPushed(author.mode)
      ? await this.#pushPage(id, tweet.author_id, cursorIn(cursor))
      : this.#delivered(id);
    if (!cursor) await this.#reconsider(tweet.author_id, author);
    return outcome;
  }

  async #pushPage(id: Id, author: Id, cursor: FollowerCursor | undefined): Promise<Outcome> {
    const { db, pushes, metrics, page: size } = this.#options;
    if (!pushes) return this.#delivered(id);
    const page = await (cursor ? followersAfter(db, author, cursor, size) : this.#firstPages.load(author));
    await pushToWindows(
      pushes,
      page.map(({ src }) => pushes.keys.home(src)),
      id,
    );
    metrics.fanoutPushes.inc(page.length);
    const last = page.at(-1);
    return last && page.length === size ? { cursor: last } : this.#delivered(id);
  }

  #delivered(id: Id): Outcome {
    this.#options.metrics.fanoutLag.observe((Date.now() - idTimeMs(id)) / 1000);
    return "done";
  }
}

function idIn(key: unknown, field: string): Id {
  const { [field]: id }: Record<string, unknown> = { ...Object(key) };
  if (!isId(id)) throw new Error(`not a key with an ${field}: ${JSON.stringify(key)}`);
  return id;
}

/** The stay in "leaving" that a "mode" job was queued to end, if any. */
function leftIn(key: unknown): string | undefined {
  const { left }: Record<string, unknown> = { ...Object(key) };
  return typeof left === "string" ? left : undefined;
}

function cursorIn(value: unknown): FollowerCursor | undefined {
  const { bucket, src }: Record<string, unknown> = { ...Object(value) };
  return typeof bucket === "number" && isId(src) ? { bucket, src } : undefined;
}
