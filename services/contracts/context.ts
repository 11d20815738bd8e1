import type { CallingOptions, Context } from "moleculer";
import type { SessionMeta } from "../../mixins/shard-db/session.ts";
import type { ActionName, ParamsOf, ResultOf } from "./actions.ts";
import { RoostError } from "./errors.ts";
import type { EventMap, EventName } from "./events.ts";
import type { App, Viewer } from "./sessions.ts";
import type { Id } from "./users.ts";

export interface Meta {
  /** Set by the gateway alone; absent for a signed-out client. */
  viewer?: Viewer;
  /** Set by the gateway alone, where an app asks for nobody but itself. */
  app?: App;
  /** What the session has written and seen, for which replica may answer; between processes alone. */
  session?: SessionMeta;
}

/** A Moleculer context whose calls are checked against the ActionMap. */
export interface Ctx<Params = unknown> extends Omit<Context<Params, Meta>, "call" | "broadcast"> {
  params: Params;
  meta: Meta;
  call<A extends ActionName>(action: A, params: ParamsOf<A>, options?: CallingOptions): Promise<ResultOf<A>>;
  broadcast<E extends EventName>(event: E, payload: EventMap[E]): Promise<void>;
}

/** The signed-in user. Throws 401 where there is none. */
export function requireViewer(ctx: { meta: Meta }): Viewer {
  if (!ctx.meta.viewer) throw new RoostError("UNAUTHORIZED", "Sign in first: this needs a bearer token.");
  return ctx.meta.viewer;
}

/** The signed-in user's id, which must be `id`: nobody acts for somebody else. Throws 401 or 403. */
export function requireSelf(ctx: { meta: Meta }, id: Id, field = "id"): Id {
  const { userId } = requireViewer(ctx);
  if (userId !== id) {
    throw new RoostError("FORBIDDEN", `The \`${field}\` must be the id of the signed-in user.`, {
      errors: [{ message: "must be the signed-in user's id", parameters: { [field]: [id] } }],
    });
  }
  return userId;
}

/** Anyone who may read: the signed-in user, or undefined for an app by itself. Throws 401 for a signed-out client. */
export function requireReader(ctx: { meta: Meta }): Viewer | undefined {
  return ctx.meta.app ? undefined : requireViewer(ctx);
}
