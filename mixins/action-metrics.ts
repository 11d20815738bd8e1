import type { ActionHandler, ActionSchema, Middleware } from "moleculer";
import { type ErrorCode, errorCode } from "../services/contracts/errors.ts";
import { resourcesOf } from "./resources.ts";

type Outcome = "ok" | ErrorCode;

/** Measures every action where it runs: duration and outcome ("ok" or the error's code). */
export function actionMetrics(): Middleware {
  return {
    name: "ActionMetrics",
    localAction(next: ActionHandler, { name = "unknown" }: ActionSchema): ActionHandler {
      // Label sets that were seen are kept at hand: looking them up costs more than observing.
      const seen = new Map<Outcome, { observe(seconds: number): void }>();
      return async function measured(ctx) {
        const { metrics } = resourcesOf(ctx.broker);
        const start = performance.now();
        let outcome: Outcome = "ok";
        try {
          return await next.call(this, ctx);
        } catch (error) {
          outcome = errorCode(error) ?? "INTERNAL";
          throw error;
        } finally {
          const observer = seen.get(outcome) ?? metrics.actionDuration.labels({ action: name, outcome });
          seen.set(outcome, observer);
          observer.observe((performance.now() - start) / 1_000);
        }
      };
    },
  };
}
