import type { ServiceBroker } from "moleculer";
import type { ActionName, ParamsOf, ResultOf } from "../../contracts/actions.ts";
import type { Meta } from "../../contracts/context.ts";

/** Calls actions for as long as a stream lasts, which is longer than the context of the request that opened it. */
export type Calls = <A extends ActionName>(
  action: A,
  params: ParamsOf<A>,
  meta?: Meta,
) => Promise<ResultOf<A>>;

export function callsOn(broker: ServiceBroker): Calls {
  // Moleculer's call is untyped; the ActionMap is what the services are checked against.
  return (action, params, meta = {}) => broker.call(action, params, { meta }) as never;
}

/** For what is asked for nobody in particular. */
export const NOBODY: Meta = { app: { clientId: "" } };
