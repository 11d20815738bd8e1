import { isId } from "../../mixins/shard-db/ids.ts";
import type { ShardDb } from "../../mixins/shard-db/index.ts";
import type { ParamsOf, ResultOf } from "../contracts/actions.ts";
import { readCursor } from "../contracts/cursor.ts";
import { EDGE_KINDS, type RelationKind } from "../contracts/edges.ts";
import { invalidField, RoostError } from "../contracts/errors.ts";
import type { Viewer } from "../contracts/sessions.ts";
import type { Id } from "../contracts/users.ts";
import type { UserReader } from "../user/user-reader.ts";
import { pageOfEdges } from "./edge-page.ts";
import { addEdge, type EdgeKey, listEdges, removeEdge, userExists } from "./edges.repo.ts";
import type { Reconciler } from "./reconciler.ts";

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
  readonly #users: UserReader;
  readonly #reconciler: Reconciler;

  constructor(db: ShardDb, users: UserReader, reconciler: Reconciler) {
    this.#db = db;
    this.#users = users;
    this.#reconciler = reconciler;
  }

  /** 403 across a block in either direction. */
  async follow(viewer: Viewer, dst: Id): Promise<ResultOf<"graph.follow">> {
    await this.#add(viewer, "follow", dst, dst);
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
    await this.#reconciler.fully(edge);
    const { jobs } = await removeEdge(this.#db, edge);
    await this.#reconciler.fully(edge, jobs);
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

  async list(viewer: Viewer | undefined, params: ParamsOf<"graph.list">): Promise<ResultOf<"graph.list">> {
    const { user_id, kind, direction, limit, cursor, ...extras } = params;
    if (kind !== "follow" && (user_id !== viewer?.userId || direction === "in")) {
      throw new RoostError("FORBIDDEN", `The list of ${kind}s is its owner's only.`, {
        errors: [{ message: "must be the signed-in user's id", parameters: { id: [user_id] } }],
      });
    }
    const from = readCursor(cursor);
    const found = await listEdges(this.#db, { id: user_id, kind, direction }, { limit: limit + 1, ...from });
    if (found.length === 0 && !(await this.#users.get([user_id])).has(user_id))
      throw unknownUser("id", user_id);
    const { edges, cursors } = pageOfEdges(found, limit, from);
    const others = edges.map(({ other }) => other);
    const users = await this.#users.get(others, extras);
    return { users: others.flatMap((id) => users.get(id) ?? []), ...cursors };
  }

  async #add({ userId: src }: Viewer, kind: RelationKind, dst: Id, across?: Id): Promise<void> {
    if (src === dst) throw invalidField("target_user_id", dst, `you cannot ${kind} yourself`);
    if (!(await userExists(this.#db, dst))) throw unknownUser("target_user_id", dst);
    const edge = { src, kind, dst };
    const { blocked, jobs } = await addEdge(this.#db, edge, across);
    if (blocked) throw new RoostError("FORBIDDEN", "A block stands between you and this user.");
    await this.#reconciler.inline(edge, jobs);
  }

  async #remove({ userId: src }: Viewer, kind: RelationKind, dst: Id): Promise<void> {
    const edge = { src, kind, dst };
    const { jobs } = await removeEdge(this.#db, edge);
    await this.#reconciler.inline(edge, jobs);
  }
}

/** 404 naming a user that there is not. */
export function unknownUser(field: string, value: Id): RoostError {
  return new RoostError("NOT_FOUND", `Could not find user with ${field}: [${value}].`, {
    errors: [{ message: "names no user", parameters: { [field]: [value] } }],
  });
}
