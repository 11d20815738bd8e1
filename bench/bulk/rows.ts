import { type Random, seededRandom } from "../load/random.ts";
import type { Table } from "./bulk.repo.ts";
import type { CopyWriter } from "./copy.ts";
import { at, byFollowee, degrees, type FollowGraph } from "./graph.ts";
import type { IdSeries } from "./ids.ts";
import type { People } from "./people.ts";

/** Everything that is loaded. */
export interface Content {
  graph: FollowGraph;
  people: People;
  /** Of the follows, by position. */
  followIds: IdSeries;
  tweetIds: IdSeries;
  tweets: number;
  /** Of who tweets. */
  seed: number;
  /** Everybody's. */
  passwordHash: string;
}

/** The rows of one table, one item after the other. */
export interface Rows {
  table: Table;
  items: number;
  /** Writes the rows of item `i`; `to` gives the writer of the shard that has a bucket. */
  write(i: number, to: (bucket: number) => CopyWriter): void;
}

/** All tables' rows, in the order in which they are to be written. */
export function* allRows(content: Content): Generator<Rows> {
  yield users(content);
  yield credentials(content);
  yield edges(content);
  yield mirrors(content);
  const authored = new Uint32Array(content.people.count);
  yield tweets(content, authored);
  yield counters(content, authored);
}

function users({ people }: Content): Rows {
  return {
    table: "users",
    items: people.count,
    write(i, to) {
      const bucket = people.bucket(i);
      const row = to(bucket).row(3).int8(people.ids.high(i), people.ids.low(i, bucket));
      row.text(people.username(i)).text(`Person ${i}`);
    },
  };
}

function credentials({ people, passwordHash }: Content): Rows {
  return {
    table: "credentials",
    items: people.count,
    write(i, to) {
      const bucket = people.bucket(i);
      to(bucket).row(2).int8(people.ids.high(i), people.ids.low(i, bucket)).text(passwordHash);
    },
  };
}

function edges({ people, graph, followIds }: Content): Rows {
  const { ids } = people;
  return {
    table: "edges",
    items: graph.follower.length,
    write(i, to) {
      const [src, dst] = [at(graph.follower, i), at(graph.followee, i)];
      const [srcBucket, dstBucket] = [people.bucket(src), people.bucket(dst)];
      const row = to(srcBucket).row(4).int8(ids.high(src), ids.low(src, srcBucket)).text("follow");
      row.int8(ids.high(dst), ids.low(dst, dstBucket)).int8(followIds.high(i), followIds.low(i, srcBucket));
    },
  };
}

function mirrors({ people, graph, followIds }: Content): Rows {
  const { ids } = people;
  const order = byFollowee(graph);
  return {
    table: "inverse_edges",
    items: order.length,
    write(place, to) {
      const i = at(order, place);
      const [src, dst] = [at(graph.follower, i), at(graph.followee, i)];
      const [srcBucket, dstBucket] = [people.bucket(src), people.bucket(dst)];
      const row = to(dstBucket).row(5).int8(ids.high(dst), ids.low(dst, dstBucket)).text("follow");
      row.int2(srcBucket).int8(ids.high(src), ids.low(src, srcBucket));
      row.int8(followIds.high(i), followIds.low(i, srcBucket));
    },
  };
}

/** `authored` counts them by author. */
function tweets({ people, graph, tweetIds, tweets, seed }: Content, authored: Uint32Array): Rows {
  const random = seededRandom(seed);
  return {
    table: "tweets",
    items: tweets,
    write(i, to) {
      const author = drawAuthor(graph, random);
      authored[author] = at(authored, author) + 1;
      const bucket = people.bucket(author);
      const row = to(bucket).row(3).int8(tweetIds.high(i), tweetIds.low(i, bucket));
      row.int8(people.ids.high(author), people.ids.low(author, bucket));
      row.text(`Tweet number ${i} of those that were loaded in bulk, about as long as what people write.`);
    },
  };
}

/** Half of all tweets are by anybody, the other half by somebody drawn in proportion to their followers. */
function drawAuthor({ people, followee }: FollowGraph, random: Random): number {
  if (followee.length === 0 || random() < 0.5) return Math.floor(random() * people);
  return at(followee, Math.floor(random() * followee.length));
}

function counters({ people, graph }: Content, authored: Uint32Array): Rows {
  const values = {
    following: degrees(people.count, graph.follower),
    followers: degrees(people.count, graph.followee),
    tweets: authored,
  };
  return {
    table: "counters",
    items: people.count,
    write(i, to) {
      const bucket = people.bucket(i);
      for (const [name, counts] of Object.entries(values)) {
        const value = at(counts, i);
        if (value === 0) continue;
        const row = to(bucket).row(3).int8(people.ids.high(i), people.ids.low(i, bucket));
        row.text(name).int8(0, value);
      }
    },
  };
}
