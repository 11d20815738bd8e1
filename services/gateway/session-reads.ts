import type { ShardDb } from "../../mixins/shard-db/index.ts";
import { MARGIN_MS } from "../../mixins/shard-db/rotation.ts";
import { inSession, SessionView } from "../../mixins/shard-db/session.ts";
import { errorCode, unavailable } from "../contracts/errors.ts";
import type { TokenSession } from "../contracts/sessions.ts";
import type { Method } from "./endpoint.ts";
import { naming } from "./present/lacking.ts";
import type { Admitted, RateLimiter } from "./rate-limit.ts";

/** Does the work of a request as its session: it reads what the session has written, wherever that was. */
export type ReadsAs = <A extends object>(method: Method, work: () => Promise<A>) => Promise<A>;

/**
 * Lets replicas answer sessions. What a user, or an app by itself, has written and seen of each shard is kept in Redis, beside
 * their rate limits, so it is the same for all their sessions and on every gateway. Who is not known there (Redis has
 * restarted, forgot, or is away) reads from primaries until no replica can lack what they did before.
 */
export class SessionReads {
  readonly #db: ShardDb;
  readonly #limiter: RateLimiter;
  readonly #newForMs: number;

  constructor(db: ShardDb, limiter: RateLimiter, maxLagMs: number) {
    this.#db = db;
    this.#limiter = limiter;
    this.#newForMs = maxLagMs + MARGIN_MS;
  }

  /** Whether it matters what a session has seen: without replicas everything is read from primaries. */
  get matter(): boolean {
    return this.#db.hasReplicas;
  }

  /**
   * Runs work in the view of a session; what it has reached is kept before the answer goes out. An answer that lacks what a
   * shard holds names it. Throws what `work` throws.
   */
  async run<A extends object>(
    { session, bucket, method }: { session: TokenSession; bucket: number; method: Method },
    { seen, ageMs = 0 }: Admitted,
    work: () => Promise<A>,
  ): Promise<A> {
    const key = session.userId ?? session.clientId ?? "";
    const mayLack = method === "GET";
    const view = new SessionView({ key, seen, isNew: ageMs < this.#newForMs, mayLack });
    try {
      return naming(view.lacks, await inSession(view, work), (at) => this.#db.shardOf(at));
    } catch (error) {
      const [shard] = view.lacks;
      // What was not found may be on the shard that is away.
      throw shard && errorCode(error) === "NOT_FOUND" ? unavailable(`Database shard ${shard}`) : error;
    } finally {
      await this.#remember(view, bucket);
    }
  }

  /** Where Redis cannot be told, the answer waits until it need not know. */
  async #remember(view: SessionView, bucket: number): Promise<void> {
    const { news } = view;
    if (Object.keys(news).length === 0) return;
    const kept = await this.#limiter.remember(bucket, view.key, news);
    if (!kept && view.wrote) await this.#db.isEverywhere(view);
  }
}
