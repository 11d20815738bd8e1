import { EDGE_KINDS } from "../contracts/edges.ts";
import { shapeOf } from "../graph/edge-kinds.ts";

/** Kinds of edges and the counters that they move, as two columns. */
interface Columns {
  kinds: string[];
  names: string[];
}

/** `out`: counters of the source, which count edges; `in`: counters of the destination, which count mirrors. */
export interface CountedKinds {
  out: Columns;
  in: Columns;
}

/** The counter of a user that counts rows of tweets instead of edges. */
export const OWN_TWEETS = "tweets";

/** Which edges each counter counts. */
export const countedKinds: CountedKinds = { out: columns("out"), in: columns("in") };

function columns(end: "out" | "in"): Columns {
  const counted = EDGE_KINDS.flatMap((kind) => {
    const name = shapeOf(kind)[end];
    return name ? { kind, name } : [];
  });
  return { kinds: counted.map(({ kind }) => kind), names: counted.map(({ name }) => name) };
}
