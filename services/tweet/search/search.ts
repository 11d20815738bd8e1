import { limits } from "../../../config/limits.ts";
import { Gate } from "../../../mixins/gate.ts";
import type { Resources } from "../../../mixins/resources.ts";
import type { ShardDb } from "../../../mixins/shard-db/index.ts";
import type { ParamsOf, ResultOf } from "../../contracts/actions.ts";
import { type Meta, requireReader } from "../../contracts/context.ts";
import { cursorsAround, readCursor } from "../../contracts/cursor.ts";
import { invalidField } from "../../contracts/errors.ts";
import type { TimelinePage } from "../../contracts/tweets.ts";
import { blockedAmong } from "../../graph/edges.repo.ts";
import { intersect } from "../../timeline/merge.ts";
import { pageFromRows } from "../../timeline/paging.ts";
import { belongsInSearch } from "../../timeline/rules.ts";
import { relationsOf, standingsIn } from "../../timeline/timeline.repo.ts";
import { UserReader } from "../../user/user-reader.ts";
import { Expander } from "../expansions.ts";
import { idsAndOriginals } from "../references.ts";
import { existingIds, type TweetRow, toTweet } from "../tweet.repo.ts";
import { TweetCache } from "../tweet-cache.ts";
import { series, WIDTH_MS } from "./counts.ts";
import { tsqueryOf } from "./interpret.ts";
import { parseQuery, type Query, QueryError } from "./query.ts";
import { reachOf, timesOf } from "./reach.ts";
import { countsMatching, tweetsMatching } from "./search.repo.ts";
import { type Resolve, resolveUsers } from "./users.ts";

const NO_RELATIONS = { following: [], blocked: [], muted: [] };

/**
 * Search over the tweets of the last 7 days, on all shards. Where one is away, the answer says so. Tweets across a block with the viewer are left out, muted authors' are not: who mutes still finds.
 */
export class Search {
  readonly #db: ShardDb;
  readonly #cache: TweetCache;
  readonly #expander: Expander;
  readonly #gate = new Gate("Search", limits.search.gate);

  constructor({ db, redis }: Pick<Resources, "db" | "redis">) {
    this.#db = db;
    this.#cache = new TweetCache(db, redis);
    this.#expander = new Expander(this.#cache, new UserReader({ db, redis }), (viewer, authors) =>
      blockedAmong(db, viewer, authors),
    );
  }

  /** A page of the tweets that a query matches, newest first. Throws 400 naming the parameter that is wrong. */
  async recent(meta: Meta, resolve: Resolve, asked: ParamsOf<"tweet.search">): Promise<TimelinePage> {
    const viewer = requireReader({ meta });
    const query = await this.#compile(asked.query, resolve);
    const from = readCursor(asked.cursor);
    const reach = reachOf(asked, Date.now());
    const ask = { range: intersect(from, reach), limit: asked.limit + 1, nextNewer: false };
    const found = await this.#gate.run(async () => {
      const relations = viewer ? await relationsOf(this.#db, viewer.userId) : NO_RELATIONS;
      const standings = standingsIn(relations);
      const show = async (rows: TweetRow[]) => {
        const tweets = rows.map(toTweet);
        const alive = await this.#cache.alive(idsAndOriginals(tweets));
        return tweets.filter((tweet) => belongsInSearch(tweet, { alive, standings }));
      };
      const rowsOf = ({ range, limit }: typeof ask) =>
        tweetsMatching(this.#db, query, { ...reach, ...range, limit });
      return pageFromRows(rowsOf, ask, show);
    }, askerOf(meta));
    const page = found.slice(0, asked.limit);
    const [tweets, included] = await Promise.all([
      asked.with_tweet_metrics ? this.#cache.count(page) : page,
      this.#expander.of(page, asked, viewer?.userId),
    ]);
    const full = found.length > asked.limit;
    const { next_cursor } = cursorsAround({ newest: page[0]?.id, oldest: page.at(-1)?.id, from, full });
    return { tweets, ...included, next_cursor };
  }

  /** How many tweets a query matches, by minute, hour or day; every one of the range is there. Throws as `recent` does. */
  async counts(
    meta: Meta,
    resolve: Resolve,
    asked: ParamsOf<"tweet.counts">,
  ): Promise<ResultOf<"tweet.counts">> {
    const viewer = requireReader({ meta });
    const query = await this.#compile(asked.query, resolve);
    const reach = reachOf(asked, Date.now());
    const widthMs = WIDTH_MS[asked.granularity];
    return this.#gate.run(async () => {
      const { blocked } = viewer ? await relationsOf(this.#db, viewer.userId) : NO_RELATIONS;
      const rows = await countsMatching(this.#db, query, { ...reach, widthMs, without: blocked });
      const originals = await existingIds(this.#db, [
        ...new Set(rows.flatMap(({ original }) => original ?? [])),
      ]);
      const alive = new Set(originals.map(({ id }) => id));
      const counts = new Map<number, number>();
      let total = 0;
      for (const { slot, original, count } of rows) {
        if (original && !alive.has(original)) continue;
        counts.set(Number(slot), (counts.get(Number(slot)) ?? 0) + Number(count));
        total += Number(count);
      }
      return { counts: series(timesOf(reach), widthMs, counts), total };
    }, askerOf(meta));
  }

  async #compile(raw: string, resolve: Resolve): Promise<string> {
    const [query] = await resolveUsers([readQuery(raw)], resolve);
    if (!query) throw new Error("a query was lost");
    return tsqueryOf(query);
  }
}

const askerOf = ({ viewer, app }: Meta) => app?.clientId ?? viewer?.userId;

/** Reads the parameter `query`. Throws 400 that says what is wrong with it, and where. */
function readQuery(raw: string): Query {
  if (raw.length > limits.search.queryLength)
    throw invalidField(
      "query",
      raw,
      `must be at most ${limits.search.queryLength} characters long, not ${raw.length}`,
    );
  try {
    return parseQuery(raw);
  } catch (error) {
    if (error instanceof QueryError) throw invalidField("query", raw, error.message);
    throw error;
  }
}
