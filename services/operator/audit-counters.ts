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

/** Which rows each counter counts. */
export const countedKinds: CountedKinds = {
  out: { kinds: ["follow"], names: ["following"] },
  in: { kinds: ["follow"], names: ["followers"] },
};
