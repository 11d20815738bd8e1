import type { Resources } from "../../mixins/resources.ts";
import type { ShardDb } from "../../mixins/shard-db/index.ts";
import type { ParamsOf, ResultOf } from "../contracts/actions.ts";
import { requireSelf } from "../contracts/context.ts";
import { readCursor } from "../contracts/cursor.ts";
import { RoostError } from "../contracts/errors.ts";
import type { Viewer } from "../contracts/sessions.ts";
import type { TimelinePage } from "../contracts/tweets.ts";
import type { Id, UserPage } from "../contracts/users.ts";
import { originalId, requireOriginal } from "../tweet/originals.ts";
import { TweetLists } from "../tweet/tweet-lists.ts";
import { UserReader } from "../user/user-reader.ts";
import { pageOfEdges } from "./edge-page.ts";
import { addEdge, listEdges, removeEdge } from "./edges.repo.ts";
import { unknownUser } from "./edges.ts";
import type { Reconciler } from "./reconciler.ts";

/** What users do with tweets: likes and bookmarks, and the lists of them. A retweet stands for its original. */
export class Engagements {
  readonly #db: ShardDb;
  readonly #users: UserReader;
  readonly #lists: TweetLists;
  readonly #reconciler: Reconciler;

  constructor(resources: Pick<Resources, "db" | "redis">, reconciler: Reconciler) {
    this.#db = resources.db;
    this.#users = new UserReader(resources);
    this.#lists = new TweetLists(resources);
    this.#reconciler = reconciler;
  }

  /** 404 where there is no such tweet, 403 across a block with its author. */
  async like(viewer: Viewer, tweet: Id): Promise<ResultOf<"graph.like">> {
    await this.#add(viewer, "like", tweet);
    return { liked: true };
  }

  async unlike(viewer: Viewer, tweet: Id): Promise<ResultOf<"graph.unlike">> {
    await this.#remove(viewer, "like", tweet);
    return { liked: false };
  }

  async bookmark(viewer: Viewer, tweet: Id): Promise<ResultOf<"graph.bookmark">> {
    await this.#add(viewer, "bookmark", tweet);
    return { bookmarked: true };
  }

  async unbookmark(viewer: Viewer, tweet: Id): Promise<ResultOf<"graph.unbookmark">> {
    await this.#remove(viewer, "bookmark", tweet);
    return { bookmarked: false };
  }

  /** Who liked or retweeted a tweet. */
  async engaged(params: ParamsOf<"graph.engaged">): Promise<UserPage> {
    const { tweet_id, kind, limit, cursor, ...extras } = params;
    const { id } = await requireOriginal(this.#db, "tweet_id", tweet_id);
    const from = readCursor(cursor);
    const found = await listEdges(this.#db, { id, kind, direction: "in" }, { limit: limit + 1, ...from });
    const { edges, cursors } = pageOfEdges(found, limit, from);
    const others = edges.map(({ other }) => other);
    const users = await this.#users.get(others, extras);
    return { users: others.flatMap((user) => users.get(user) ?? []), ...cursors };
  }

  /** What a user liked; what the viewer bookmarked. */
  async list(viewer: Viewer, params: ParamsOf<"graph.engagements">): Promise<TimelinePage> {
    const { user_id, kind, ...query } = params;
    if (kind === "bookmark") requireSelf({ meta: { viewer } }, user_id);
    else if (!(await this.#users.get([user_id])).has(user_id)) throw unknownUser("id", user_id);
    return this.#lists.along({ id: user_id, kind, direction: "out" }, query, viewer.userId);
  }

  async #add({ userId: src }: Viewer, kind: "like" | "bookmark", tweet: Id): Promise<void> {
    const original = await requireOriginal(this.#db, "tweet_id", tweet);
    const edge = { src, kind, dst: original.id };
    const { blocked, jobs } = await addEdge(this.#db, edge, original.author_id);
    if (blocked)
      throw new RoostError("FORBIDDEN", "A block stands between you and the author of this tweet.");
    await this.#reconciler.inline(edge, jobs);
  }

  /** Also where the tweet is gone: the edge is the user's. */
  async #remove({ userId: src }: Viewer, kind: "like" | "bookmark", tweet: Id): Promise<void> {
    const edge = { src, kind, dst: await originalId(this.#db, tweet) };
    const { jobs } = await removeEdge(this.#db, edge);
    await this.#reconciler.inline(edge, jobs);
  }
}
