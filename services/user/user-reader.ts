import { readThrough } from "../../mixins/redis/leased.ts";
import type { Resources } from "../../mixins/resources.ts";
import { idTime } from "../../mixins/shard-db/ids.ts";
import type { Id, PublicUser, UserExtras } from "../contracts/users.ts";
import { UserRepo, type UserRow } from "./user.repo.ts";

const TTL_MS = 86_400_000;

/**
 * Public users for whoever shows them, in any service: profiles through Redis (leased entries), metrics from Postgres
 * and only when asked for.
 */
export class UserReader {
  readonly #repo: UserRepo;
  readonly #redis: Resources["redis"];

  constructor({ db, redis }: Pick<Resources, "db" | "redis">) {
    this.#repo = new UserRepo(db);
    this.#redis = redis;
  }

  /** The users that exist among `ids`; one statement a shard for the profiles not cached, one for each extra. */
  async get(ids: readonly Id[], extras: UserExtras = {}): Promise<Map<Id, PublicUser>> {
    const unique = [...new Set(ids)];
    if (unique.length === 0) return new Map();
    const [payloads, metrics, latest] = await Promise.all([
      this.#profiles(unique),
      extras.with_metrics ? this.#repo.metrics(unique) : [],
      extras.with_latest ? this.#repo.latestTweets(unique) : [],
    ]);
    const users = new Map<Id, PublicUser>();
    for (const [id, payload] of payloads) {
      const user: PublicUser = JSON.parse(payload); // written by #profiles below
      users.set(id, user);
    }
    for (const { id, ...counts } of metrics) {
      const user = users.get(id);
      if (user) user.public_metrics = { ...counts, listed_count: 0 };
    }
    for (const { id, latest: tweet } of latest) {
      const user = users.get(id);
      if (user) user.most_recent_tweet_id = tweet;
    }
    return users;
  }

  /** Drops a cached profile; a fill that is under way is refused. Throws RedisDown. */
  async forget(id: Id): Promise<void> {
    await this.#redis?.delete([this.#redis.keys.user(id)]);
  }

  #profiles(ids: Id[]): Promise<Map<Id, string>> {
    return readThrough(this.#redis, ids, {
      keyOf: (id) => this.#redis?.keys.user(id) ?? "",
      ttlMs: TTL_MS,
      load: async (missing) => {
        const rows = await this.#repo.byIds(missing);
        return new Map(rows.map((row) => [row.id, JSON.stringify(publicUser(row))]));
      },
    });
  }
}

/** A user as others see them, without metrics. */
export function publicUser({ id, username, name, profile }: UserRow): PublicUser {
  return { id, username, name, created_at: idTime(id), ...profile, protected: false, verified: false };
}
