import { retrySoon } from "../../../mixins/outbox.repo.ts";
import type { Outcome, PageHandler } from "../../../mixins/outbox-worker.ts";
import { ignoreDown } from "../../../mixins/redis/leased.ts";
import type { Resources } from "../../../mixins/resources.ts";
import { bucketOf } from "../../../mixins/shard-db/ids.ts";
import { scatter } from "../../../mixins/shard-db/scatter.ts";
import type { Id } from "../../contracts/users.ts";
import { removeEdge, someEdges } from "../../graph/edges.repo.ts";
import type { Reconciler } from "../../graph/reconciler.ts";
import { deleteTweet, tweetIdsOf } from "../../tweet/tweet.repo.ts";
import { TweetCache } from "../../tweet/tweet-cache.ts";
import { idIn } from "../jobs.ts";
import type { AppRepo } from "../oauth/app.repo.ts";
import type { CodeRepo } from "../oauth/code.repo.ts";
import type { Sessions } from "../sessions/index.ts";
import { beginErasure, closeAccount, deleteRemains, lookAgain } from "./account.repo.ts";

/** Tweets that are hidden together; tweets or edges that a job erases before it stores how far it has come, and at a time. */
const HIDDEN = 5_000;
const PAGE = 200;
const AT_ONCE = 16;

interface ErasureParts extends Pick<Resources, "db" | "redis"> {
  sessions: Sessions;
  apps: AppRepo;
  codes: CodeRepo;
  reconciler: Reconciler;
  /** Tells the drains of jobs. */
  nudge: (jobs: Id[]) => void;
}

/** What a job erases, one after the other. */
const STEPS = ["tweets", "out", "in", "rest"] as const;
type Step = (typeof STEPS)[number];

/**
 * Deleting accounts. An account is closed in one transaction: with it go password, profile, sessions, codes and apps, and
 * from then on Postgres shows neither the account nor its tweets to anybody (`is_closed`). What Redis knows of them is
 * hidden before the answer. Then a job erases tweets, edges of both directions with their mirrors and counters, and what
 * else there is, page by page, and looks once more later.
 */
export class Erasure {
  readonly #parts: ErasureParts;
  readonly #tweets: TweetCache;

  constructor(parts: ErasureParts) {
    this.#parts = parts;
    this.#tweets = new TweetCache(parts.db, parts.redis);
  }

  /** Closes an account whose password was checked, and hides all of it. False where the password is another one by now. */
  async close(id: Id, passwordHash: string): Promise<boolean> {
    const { db, sessions, apps, codes, nudge } = this.#parts;
    const jobs = await sessions.revoking(bucketOf(id), async (tx, hide) => {
      const job = await closeAccount(tx, id, passwordHash);
      if (!job) return undefined;
      await codes.deleteOf(tx, id);
      await sessions.endOthersIn(tx, hide, id);
      return { erase: job, apps: await apps.deleteOf(tx, id) };
    });
    if (!jobs) return false;
    try {
      await this.#hide(id);
      await beginErasure(db, jobs.erase);
    } catch (error) {
      ignoreDown(error);
      await retrySoon(db, [jobs.erase], error);
    }
    nudge([jobs.erase, ...jobs.apps]);
    return true;
  }

  /** Works on an "erase" job. */
  readonly erase: PageHandler = async ({ key, cursor }) => {
    const id = idIn(key);
    const step = stepIn(cursor);
    if (!cursor) await this.#hide(id);
    if (step !== "rest") return this.#page(id, step);
    await this.#eraseRest(id);
    // The second look finds nothing, as a rule.
    if (!isLast(key)) await lookAgain(this.#parts.db, id);
    return "done";
  };

  async #page(id: Id, step: Exclude<Step, "rest">): Promise<Outcome> {
    const erased = step === "tweets" ? await this.#eraseTweets(id) : await this.#eraseEdges(id, step);
    return { cursor: { step: erased === PAGE ? step : STEPS[STEPS.indexOf(step) + 1] } };
  }

  /** Hides what Redis knows of an account. Throws RedisDown. */
  async #hide(id: Id): Promise<void> {
    const { db, redis } = this.#parts;
    if (!redis) return;
    const { keys } = redis;
    await redis.delete([keys.user(id), keys.home(id), keys.author(id)]);
    for (let after = "0"; ; ) {
      const ids = await tweetIdsOf(db, id, after, HIDDEN);
      await this.#tweets.hide(ids);
      after = ids.at(-1) ?? "";
      if (ids.length < HIDDEN) return;
    }
  }

  async #eraseTweets(author: Id): Promise<number> {
    const { db, reconciler } = this.#parts;
    const ids = await tweetIdsOf(db, author, "0", PAGE);
    await scatter(ids, AT_ONCE, async (id) => {
      const gone = await deleteTweet(db, id, author);
      for (const { edge, job } of gone?.edges ?? []) await reconciler.inline(edge, [job]);
    });
    await this.#tweets.hide(ids);
    return ids.length;
  }

  async #eraseEdges(user: Id, direction: "out" | "in"): Promise<number> {
    const { db, reconciler } = this.#parts;
    const edges = await someEdges(db, user, direction, PAGE);
    await scatter(edges, AT_ONCE, async (edge) => {
      const { jobs } = await removeEdge(db, edge);
      await reconciler.fully(edge, jobs);
    });
    return edges.length;
  }

  async #eraseRest(id: Id): Promise<void> {
    const { db, redis, sessions } = this.#parts;
    await sessions.revoking(bucketOf(id), (tx, hide) => sessions.endOthersIn(tx, hide, id));
    const { pulled } = await deleteRemains(db, id);
    if (!redis) return;
    const { keys } = redis;
    const own = [keys.home(id), keys.author(id), keys.following(id), keys.blocked(id), keys.muted(id)];
    await redis.delete([...own, keys.user(id), keys.reads(id), ...(pulled ? keys.allPulled() : [])]);
  }
}

function stepIn(cursor: unknown): Step {
  const { step }: Record<string, unknown> = { ...Object(cursor) };
  return STEPS.find((name) => name === step) ?? STEPS[0];
}

function isLast(key: unknown): boolean {
  const { last }: Record<string, unknown> = { ...Object(key) };
  return last === true;
}
