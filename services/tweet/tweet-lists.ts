import type { Resources } from "../../mixins/resources.ts";
import type { ShardDb } from "../../mixins/shard-db/index.ts";
import type {
  EdgeDirection,
  EdgeKind,
  Id,
  ParamsOf,
  TimelinePage,
  TweetListQuery,
} from "../contracts/actions.ts";
import { readCursor } from "../contracts/cursor.ts";
import { pageOfEdges } from "../graph/edge-page.ts";
import { listEdges } from "../graph/edges.repo.ts";
import { UserReader } from "../user/user-reader.ts";
import { requireOriginal } from "./originals.ts";
import { TweetCache } from "./tweet-cache.ts";

/** Lists of tweets that edges make: what a user liked, what replies to a tweet. Deleted tweets are left out of a page. */
export class TweetLists {
  readonly #db: ShardDb;
  readonly #cache: TweetCache;
  readonly #users: UserReader;

  constructor({ db, redis }: Pick<Resources, "db" | "redis">) {
    this.#db = db;
    this.#cache = new TweetCache(db, redis);
    this.#users = new UserReader({ db, redis });
  }

  /** The tweets at the other ends of the edges of a user or tweet, latest edge first. */
  async along(
    of: { id: Id; kind: EdgeKind; direction: EdgeDirection },
    query: TweetListQuery,
  ): Promise<TimelinePage> {
    const from = readCursor(query.cursor);
    const found = await listEdges(this.#db, of, { limit: query.limit + 1, ...from });
    const { others, ...cursors } = pageOfEdges(found, query.limit, from);
    const tweets = await this.#cache.show(others, { withMetrics: query.with_tweet_metrics });
    return { tweets, users: await this.#users.authorsOf(tweets, query), ...cursors };
  }

  /** What replies to, quotes or retweets a tweet. Throws 404 where there is no such tweet. */
  async about({ tweet_id, kind, ...query }: ParamsOf<"tweet.about">): Promise<TimelinePage> {
    const { id } = await requireOriginal(this.#db, "tweet_id", tweet_id);
    return this.along({ id, kind, direction: "in" }, query);
  }
}
