import type { ActionParams, ServiceSchema } from "moleculer";
import type { ActionMap, ActionName, ParamsOf, ResultOf } from "./actions.ts";
import { type Ctx, requireReader, requireViewer } from "./context.ts";

/** An action as a service declares it. */
export interface Action<A extends ActionName> {
  /** fastest-validator rules, one for each parameter; anything else is refused. */
  params: Record<keyof ParamsOf<A> & string, ActionParams[string]>;
  /** Whether it needs a signed-in user, or at least an app ("reader"). Default: a user. */
  auth?: "viewer" | "reader" | "none";
  /** Only reads: called again on another node where the one that was asked has died. */
  readOnly?: boolean;
  /** ms; default: the broker's. */
  timeout?: number;
  handler(ctx: Ctx<ParamsOf<A>>): Promise<ResultOf<A>>;
}

type NameIn<S extends string> = ActionName extends infer A
  ? A extends `${S}.${infer N}`
    ? N
    : never
  : never;
type FullName<S extends string, N extends string> = Extract<`${S}.${N}`, ActionName>;

/** All actions of a service, exactly as the ActionMap lists them: a missing, extra or differently typed one does not compile. */
export type ActionsOf<S extends string> = { [N in NameIn<S>]: Action<FullName<S, N>> };

/**
 * Turns typed actions into Moleculer's schema: strict parameters, the viewer checked, never callable from outside
 * except by an explicit route.
 */
export function actionsOf<S extends string>(
  _service: S,
  actions: ActionsOf<S>,
): NonNullable<ServiceSchema["actions"]> {
  const entries = Object.entries<Action<keyof ActionMap>>(actions as Record<string, Action<keyof ActionMap>>); // one type for all
  return Object.fromEntries(
    entries.map(([name, { params, auth = "viewer", readOnly = false, timeout, handler }]) => [
      name,
      {
        visibility: "public",
        params: { $$strict: true, ...params },
        timeout,
        retryPolicy: { enabled: readOnly, retries: 2, delay: 50, maxDelay: 500, factor: 2 },
        // Moleculer's Context knows nothing of the ActionMap: this is the one place where the two are joined.
        async handler(ctx: unknown) {
          const typed = ctx as Ctx<ParamsOf<ActionName>>;
          if (auth === "viewer") requireViewer(typed);
          if (auth === "reader") requireReader(typed);
          return handler(typed as never);
        },
      },
    ]),
  );
}
