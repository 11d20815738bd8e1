import type { Batcher } from "../../mixins/batcher.ts";
import { retrySoon } from "../../mixins/outbox.repo.ts";
import { RedisDown, type RedisStore } from "../../mixins/redis/index.ts";
import { isId } from "../../mixins/shard-db/ids.ts";
import type { ShardDb } from "../../mixins/shard-db/index.ts";
import {
  EDGE_KINDS,
  type EdgeKind,
  type Id,
  type ParamsOf,
  type ResultOf,
  type Viewer,
} from "../contracts/actions.ts";
import { cursorsAround, readCursor } from "../contracts/cursor.ts";
import { errorCode, invalidField, RoostError, unavailable } from "../contracts/errors.ts";
import type { UserReader } from "../user/user-reader.ts";
import { addEdge, type EdgeChange, type EdgeKey, listEdges, removeEdge, userExists } from "./edges.repo.ts";
import { reconcileEdge } from "./reconcile.ts";

/** Reads the key of an "edge" job. Throws where it is none. */
export function edgeOf(key: unknown): EdgeKey {
  const { src, kind, dst }: Record<string, unknown> = { ...Object(key) };
  const known = EDGE_KINDS.find((name) => name === kind);
  if (!isId(src) || !isId(dst) || !known) throw new Error(`not an edge: ${JSON.stringify(key)}`);
  return { src, kind: known, dst };
}

/**
 * The relations between users. Each change commits the forward edge with its outbox row, then reconciles the mirror and
 * Redis before it answers; where that fails, the outbox does it.
 */
export class Edges {
  readonly #db: ShardDb;
  readonly #redis: RedisStore | undefined;
  readonly #users: UserReader;
  readonly #settled: Batcher<Id>;
  readonly #nudge: (jobs: Id[]) => void;

  /** `settled` takes outbox rows whose effect was brought about; `nudge` has the drains look at others now. */
  constructor(
    db: ShardDb,
    redis: RedisStore | undefined,
    users: UserReader,
    settled: Batcher<Id>,
    nudge: (jobs: Id[]) => void,
  ) {
    this.#nudge = nudge;
    this.#db = db;
    this.#redis = redis;
    this.#users = users;
    this.#settled = settled;
  }

  /** 403 across a block in either direction. */
  async follow(viewer: Viewer, dst: Id): Promise<ResultOf<"graph.follow">> {
    await this.#add(viewer, "follow", dst);
    return { following: true, pending_follow: false };
  }

  async unfollow(viewer: Viewer, dst: Id): Promise<ResultOf<"graph.unfollow">> {
    await this.#remove(viewer, "follow", dst);
    return { following: false };
  }

  /** Ends the follows between the two, both ways. 503 where the other side cannot be reached: it would still read. */
  async block(viewer: Viewer, dst: Id): Promise<ResultOf<"graph.block">> {
    await this.#add(viewer, "block", dst);
    return { blocking: true };
  }

  /**
   * Answers once the block has been applied on the other side and removed there, so that no late mirror of it ends a
   * follow that comes after; 503 where the other side cannot be reached.
   */
  async unblock(viewer: Viewer, dst: Id): Promise<ResultOf<"graph.unblock">> {
    const edge: EdgeKey = { src: viewer.userId, kind: "block", dst };
    await this.#reconcileFully(edge);
    const { jobs } = await removeEdge(this.#db, edge);
    await this.#reconcileFully(edge);
    this.#settled.add(...jobs);
    return { blocking: false };
  }

  async mute(viewer: Viewer, dst: Id): Promise<ResultOf<"graph.mute">> {
    await this.#add(viewer, "mute", dst);
    return { muting: true };
  }

  async unmute(viewer: Viewer, dst: Id): Promise<ResultOf<"graph.unmute">> {
    await this.#remove(viewer, "mute", dst);
    return { muting: false };
  }

  async list(viewer: Viewer, params: ParamsOf<"graph.list">): Promise<ResultOf<"graph.list">> {
    const { user_id, kind, direction, limit, cursor, with_metrics } = params;
    if (kind !== "follow" && (user_id !== viewer.userId || direction === "in")) {
      throw new RoostError("FORBIDDEN", `The list of ${kind}s is its owner's only.`, {
        errors: [{ message: "must be the signed-in user's id", parameters: { id: [user_id] } }],
      });
    }
    const from = readCursor(cursor);
    const found = await listEdges(this.#db, { user_id, kind, direction }, { limit: limit + 1, ...from });
    if (found.length === 0 && !(await userExists(this.#db, user_id))) throw unknownUser("id", user_id);
    const full = found.length > limit;
    const page = from.after ? found.slice(-limit) : found.slice(0, limit);
    const users = await this.#users.get(
      page.map((edge) => edge.user_id),
      { withMetrics: with_metrics },
    );
    return {
      users: page.flatMap((edge) => users.get(edge.user_id) ?? []),
      ...cursorsAround({ newest: page[0]?.id, oldest: page.at(-1)?.id, from, full }),
    };
  }

  async #add({ userId: src }: Viewer, kind: EdgeKind, dst: Id): Promise<void> {
    if (src === dst) throw invalidField("target_user_id", dst, `you cannot ${kind} yourself`);
    if (!(await userExists(this.#db, dst))) throw unknownUser("target_user_id", dst);
    const edge = { src, kind, dst };
    const change = await addEdge(this.#db, edge);
    if (change.blocked) throw new RoostError("FORBIDDEN", "A block stands between you and this user.");
    await this.#reconcile(edge, change);
  }

  async #remove({ userId: src }: Viewer, kind: EdgeKind, dst: Id): Promise<void> {
    const edge = { src, kind, dst };
    await this.#reconcile(edge, await removeEdge(this.#db, edge));
  }

  /** Tries the deferred effects at once; what fails is left to the outbox. */
  async #reconcile(edge: EdgeKey, { jobs }: EdgeChange): Promise<void> {
    if (jobs.length === 0) return;
    try {
      await this.#reconcileAll(edge);
      this.#settled.add(...jobs);
    } catch (error) {
      if (!(error instanceof RedisDown) && errorCode(error) !== "UNAVAILABLE") throw error;
      await retrySoon(this.#db, jobs, error);
      this.#nudge(jobs);
      if (edge.kind === "block" && !(error instanceof RedisDown)) throw error;
    }
  }

  async #reconcileFully(edge: EdgeKey): Promise<void> {
    try {
      await this.#reconcileAll(edge);
    } catch (error) {
      if (error instanceof RedisDown) throw unavailable("Part of this block");
      throw error;
    }
  }

  /** A block also ends the follows between the two: their mirrors go with it. */
  async #reconcileAll(edge: EdgeKey): Promise<void> {
    const ended = await reconcileEdge(this.#db, this.#redis, edge);
    if (edge.kind !== "block") return;
    const { src, dst } = edge;
    await reconcileEdge(this.#db, this.#redis, { src: dst, kind: "follow", dst: src });
    this.#settled.add(...ended);
    await reconcileEdge(this.#db, this.#redis, { src, kind: "follow", dst });
  }
}

function unknownUser(field: string, value: Id): RoostError {
  return new RoostError("NOT_FOUND", `Could not find user with ${field}: [${value}].`, {
    errors: [{ message: "names no user", parameters: { [field]: [value] } }],
  });
}
