import { limits } from "../../config/limits.ts";
import type { Metrics } from "../../mixins/metrics.ts";
import type { JobHandler, Outcome } from "../../mixins/outbox.ts";
import { RedisDown, type RedisStore } from "../../mixins/redis/index.ts";
import { changeSets } from "../../mixins/redis/marked-set.ts";
import { pushToWindows } from "../../mixins/redis/windowed-list.ts";
import { idTimeMs, isId } from "../../mixins/shard-db/ids.ts";
import type { ShardDb } from "../../mixins/shard-db/index.ts";
import type { Id } from "../contracts/actions.ts";
import { TweetCache } from "../tweet/tweet-cache.ts";
import {
  changeMode,
  enqueueModeJob,
  type FollowerCursor,
  followersAfter,
  modeOf,
  tweetToFanOut,
} from "./fanout.repo.ts";
import { isPushed, wantedMode } from "./fanout-policy.ts";

interface FanoutOptions {
  db: ShardDb;
  /** For what this process reads and writes besides pushing. */
  redis: RedisStore | undefined;
  /** A connection of its own for pushes: waiting for replicas holds nobody else up. */
  pushes: RedisStore | undefined;
  metrics: Metrics;
  pullThreshold: number;
  /** Followers to a page. */
  page: number;
}

/** Delivers tweets into home lists, page by page of followers, and moves authors between push and pull. */
export class Fanout {
  readonly #options: FanoutOptions;
  readonly #tweets: TweetCache;

  constructor(options: FanoutOptions) {
    this.#options = options;
    this.#tweets = new TweetCache(options.db, options.redis);
  }

  /** Works on a "tweet" job: shows the tweet to followers, or hides it where it is gone. */
  readonly tweet: JobHandler = async ({ key, cursor }) => {
    const id = idIn(key, "id");
    const { db, pullThreshold } = this.#options;
    const found = await tweetToFanOut(db, id);
    if (!found) {
      await this.#tweets.hide(id);
      return "done";
    }
    const { tweet, mode, followers } = found;
    if (!cursor) {
      await this.#tweets.publish(tweet);
      if ((wantedMode(mode, followers, pullThreshold) === "push") !== isPushed(mode)) {
        await enqueueModeJob(db, tweet.author_id);
      }
    }
    return isPushed(mode) ? this.#pushPage(id, tweet.author_id, cursorIn(cursor)) : this.#delivered(id);
  };

  /** Works on a "mode" job: takes an author one step towards the wanted mode. */
  readonly mode: JobHandler = async ({ key }) => {
    const author = idIn(key, "author");
    const { db, pullThreshold } = this.#options;
    const { mode, followers, sinceMs } = await modeOf(db, author);
    const wanted = wantedMode(mode, followers, pullThreshold);
    if (mode === "push" && wanted === "pull") {
      await changeMode(db, author, { from: "push", to: "entering", nextMs: 0 });
    } else if (mode === "entering") {
      // Every reader looks for the author before the pushes stop.
      await this.#announce(author);
      await changeMode(db, author, { from: "entering", to: "pull" });
    } else if (mode === "pull" && wanted === "push") {
      await changeMode(db, author, { from: "pull", to: "leaving", nextMs: limits.homeList.maxAgeMs });
    } else if (mode === "leaving") {
      const leftMs = sinceMs + limits.homeList.maxAgeMs - Date.now();
      if (wanted === "pull") await changeMode(db, author, { from: "leaving", to: "entering", nextMs: 0 });
      else if (leftMs > 0) await enqueueModeJob(db, author, leftMs);
      else if (await changeMode(db, author, { from: "leaving", to: "push" })) {
        // Read anew: another job may have made the author a pulled one again.
        await this.#options.redis?.delete(this.#options.redis.keys.allPulled());
      }
    }
    return "done";
  };

  async #announce(author: Id): Promise<void> {
    const { redis } = this.#options;
    if (!redis) return;
    await changeSets(redis, redis.keys.allPulled(), "add", author);
    if (!(await redis.replicated())) throw new RedisDown("no replica has the pulled authors yet");
  }

  async #pushPage(id: Id, author: Id, cursor: FollowerCursor | undefined): Promise<Outcome> {
    const { db, pushes, metrics, page: size } = this.#options;
    if (!pushes) return this.#delivered(id);
    const page = await followersAfter(db, author, cursor, size);
    await pushToWindows(
      pushes,
      page.map(({ src }) => pushes.keys.home(src)),
      id,
    );
    metrics.fanoutPushes.inc(page.length);
    if (page.length > 0 && !(await pushes.replicated())) throw new RedisDown("no replica has the pushes yet");
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

function cursorIn(value: unknown): FollowerCursor | undefined {
  const { bucket, src }: Record<string, unknown> = { ...Object(value) };
  return typeof bucket === "number" && isId(src) ? { bucket, src } : undefined;
}
