import { limits } from "../../config/limits.ts";
import { BUCKETS } from "../../config/topology.ts";
import type { RedisStore } from "../../mixins/redis/index.ts";
import { Script } from "../../mixins/redis/script.ts";
import { partitionOf } from "../../mixins/shard-db/ids.ts";
import type { ShardDb } from "../../mixins/shard-db/index.ts";
import type { Id } from "../contracts/users.ts";
import { followersAfter } from "./fanout.repo.ts";
import { type FollowerRates, type Rates, smooth } from "./fanout-cost.ts";
import { beginRates, storeRates } from "./fanout-rates.repo.ts";

const FOLLOWER_READS = new Script(new URL("./lua/follower-reads-n.lua", import.meta.url));
/** Followers who are looked at, and of how many a script takes care. */
const SAMPLE = 256;
const PER_SCRIPT = 128;

/**
 * Measures authors. How often they tweet is counted in Postgres; how often their followers read, each viewer's own
 * partition of Redis knows (one read in so many is counted there, see HomeCache): some followers stand for all.
 */
export class RateMeter {
  readonly #db: ShardDb;
  readonly #redis: RedisStore;

  constructor(db: ShardDb, redis: RedisStore) {
    this.#db = db;
    this.#redis = redis;
  }

  /** Begins to observe an author. */
  begin(author: Id): Promise<void> {
    return beginRates(this.#db, author);
  }

  /**
   * Stores what an author and their followers did since they were measured last, smoothed, and returns it; undefined
   * where they were not observed so far. Throws RedisDown.
   */
  async measure(author: Id, followers: number): Promise<Rates | undefined> {
    const sampled = await this.#sample(author, followers);
    return storeRates(this.#db, author, (before, interval) => smooth(before, { ...interval, ...sampled }));
  }

  async #sample(author: Id, followers: number): Promise<FollowerRates> {
    const some = await this.#someFollowers(author);
    const { keys } = this.#redis;
    const groups = this.#redis.groups(some, (follower) => keys.home(follower), PER_SCRIPT);
    const args = [author, Date.now() / 1_000, limits.fanout.memoryS];
    const answers = await Promise.all(
      groups.map((group) =>
        this.#redis.run(
          FOLLOWER_READS,
          group.flatMap((one) => this.#keysOf(one)),
          args,
        ),
      ),
    );
    const sum = (part: number) =>
      answers.reduce<number>((all, answer) => all + (Array.isArray(answer) ? Number(answer[part]) : 0), 0);
    const each = followers / Math.max(1, some.length);
    return {
      activeShare: sum(0) / Math.max(1, some.length),
      readRate: sum(1) * each,
      readRateAlone: sum(2) * each,
    };
  }

  #keysOf(follower: Id): string[] {
    const { keys } = this.#redis;
    const partition = partitionOf(follower);
    return [
      keys.home(follower),
      keys.reads(follower),
      keys.following(follower),
      keys.pulled(partition),
      keys.readsSince(partition),
    ];
  }

  /** Buckets are hashes of handles, which have nothing to do with who follows: those from any bucket on are as good as any. */
  async #someFollowers(author: Id): Promise<Id[]> {
    const from = { bucket: Math.floor(Math.random() * BUCKETS), src: "0" };
    const some = await followersAfter(this.#db, author, from, SAMPLE);
    const rest = SAMPLE - some.length;
    if (rest > 0) some.push(...(await followersAfter(this.#db, author, undefined, rest)));
    return [...new Set(some.map(({ src }) => src))];
  }
}
