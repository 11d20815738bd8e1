import { isId } from "../../../mixins/shard-db/ids.ts";
import type { Placement } from "../../../mixins/shard-db/index.ts";
import { unavailableProblem } from "../problem.ts";
import type { Problem } from "./objects.ts";

/**
 * An answer that lacks what some shards hold, which are away: its `errors` name them, and what was not found there is not
 * said to be missing. Pure.
 */
export function naming<A extends { errors?: Problem[] }>(
  shards: ReadonlySet<string>,
  answer: A,
  shardOf: (at: Placement) => string,
): A {
  if (shards.size === 0) return answer;
  const isKnown = ({ resource_id: named }: Problem) =>
    named === undefined || !shards.has(shardOf(isId(named) ? { id: named } : { handle: named }));
  const known = answer.errors?.filter(isKnown) ?? [];
  return { ...answer, errors: [...known, ...Array.from(shards, unavailableProblem)] };
}
