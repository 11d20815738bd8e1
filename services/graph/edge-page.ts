import { cursorsAround, type Position } from "../contracts/cursor.ts";
import type { ListedEdge } from "./edges.repo.ts";

/** Cuts a page of at most `limit` out of edges of which one more was asked for, and adds the cursors around it. Pure. */
export function pageOfEdges(
  found: readonly ListedEdge[],
  limit: number,
  from: Position,
): { edges: ListedEdge[]; cursors: { next_cursor?: string; previous_cursor?: string } } {
  const full = found.length > limit;
  const page = from.after ? found.slice(-limit) : found.slice(0, limit);
  return {
    edges: page,
    cursors: cursorsAround({ newest: page[0]?.id, oldest: page.at(-1)?.id, from, full }),
  };
}
