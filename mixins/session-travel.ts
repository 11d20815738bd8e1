import type { ActionHandler, Context, Middleware } from "moleculer";
import type { Meta } from "../services/contracts/context.ts";
import { currentSession, inSession, SessionView } from "./shard-db/session.ts";

/** Takes what a session has seen along where a call goes to another process, and back with its answer. */
export function sessionTravel(): Middleware {
  return {
    name: "SessionTravel",
    localAction(next: ActionHandler): ActionHandler {
      return function arrived(ctx: Context<unknown, Meta>) {
        const { session } = ctx.meta;
        if (!session || currentSession()) return next.call(this, ctx);
        const view = new SessionView(session);
        return inSession(view, async () => next.call(this, ctx)).finally(() => {
          ctx.meta.session = view.meta;
        });
      };
    },
    remoteAction(next: ActionHandler): ActionHandler {
      return function sent(ctx: Context<unknown, Meta>) {
        const view = currentSession();
        if (!view) return next.call(this, ctx);
        ctx.meta.session = view.meta;
        return next.call(this, ctx).finally(() => {
          if (ctx.meta.session) view.merge(ctx.meta.session);
        });
      };
    },
  };
}
