import type { Resources } from "../../mixins/resources.ts";
import type { ShardDb } from "../../mixins/shard-db/index.ts";
import type { ParamsOf } from "../contracts/actions.ts";
import { readCursor } from "../contracts/cursor.ts";
import type { EdgeDirection, EdgeKind } from "../contracts/edges.ts";
import type { Excludable, TimelinePage, TweetListQuery } from "../contracts/tweets.ts";
import type { Id } from "../contracts/users.ts";
import { pageOfEdges } from "../graph/edge-page.ts";
import { blockedAmong, listEdges } from "../graph/edges.repo.ts";
import { UserReader } from "../user/user-reader.ts";
import { Expander } from "./expansions.ts";
import { requireOriginal } from "./originals.ts";
import { isExcluded } from "./references.ts";
import { TweetCache } from "./tweet-cache.ts";

/** Lists of tweets that edges make: what a user liked, what replies to a tweet. Deleted tweets, and those a query excludes, are left out of a page. */
export class TweetLists {
  readonly #db: ShardDb;
  readonly #cache: TweetCache;
  readonly #expander: Expander;

  constructor({ db, redis }: Pick<Resources, "db" | "redis">) {
    this.#db = db;
    this.#cache = new TweetCache(db, redis);
    this.#expander = new Expander(this.#cache, new UserReader({ db, redis }), (viewer, authors) =>
      blockedAmong(db, viewer, authors),
    );
  }

  /** The tweets at the other ends of the edges of a user or tweet, latest edge first. */
  async along(
    of: { id: Id; kind: EdgeKind; direction: EdgeDirection },
    query: TweetListQuery & { exclude?: readonly Excludable[] },
    viewer: Id | undefined,
  ): Promise<TimelinePage> {
    const from = readCursor(query.cursor);
    const found = await listEdges(this.#db, of, { limit: query.limit + 1, ...from });
    const { edges, cursors } = pageOfEdges(found, query.limit, from);
    // A retweet's edge leaves its author, and has the retweet's own id.
    const ids = edges.map(({ id, other }) => (of.kind === "retweet" ? id : other));
    const shown = await this.#cache.show(ids, { withMetrics: query.with_tweet_metrics });
    const tweets = shown.filter((tweet) => !isExcluded(tweet, query.exclude));
    return { tweets, ...(await this.#expander.of(tweets, query, viewer)), ...cursors };
  }

  /** What replies to, quotes or retweets a tweet. Throws 404 where there is no such tweet. */
  async about(
    { tweet_id, kind, ...query }: ParamsOf<"tweet.about">,
    viewer: Id | undefined,
  ): Promise<TimelinePage> {
    const { id } = await requireOriginal(this.#db, "tweet_id", tweet_id);
    return this.along({ id, kind, direction: "in" }, query, viewer);
  }
}
