import type { ActionHandler, ActionSchema, Middleware } from "moleculer";
import { errorCode } from "../services/contracts/errors.ts";
import { resourcesOf } from "./resources.ts";

/** Measures every action where it runs: duration and outcome ("ok" or the error's code). */
export function actionMetrics(): Middleware {
  return {
    name: "ActionMetrics",
    localAction(next: ActionHandler, action: ActionSchema): ActionHandler {
      return async function measured(ctx) {
        const { metrics } = resourcesOf(ctx.broker);
        const stop = metrics.actionDuration.startTimer({ action: action.name ?? "unknown" });
        try {
          const result = await next.call(this, ctx);
          stop({ outcome: "ok" });
          return result;
        } catch (error) {
          stop({ outcome: errorCode(error) ?? "INTERNAL" });
          throw error;
        }
      };
    },
  };
}
