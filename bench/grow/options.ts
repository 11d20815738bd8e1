import { readCommandLine, UsageError } from "../../config/command-line.ts";
import { wholeNumber } from "../../stack/options.ts";

export interface GrowOptions {
  graph: string;
  directed: boolean;
  users: number | undefined;
  /** Also the way back, to one shard. */
  back: boolean;
  /** s between two steps, with nothing but the load. */
  rest: number;
  concurrency: number;
  seed: number;
  svg: string;
  json: string | undefined;
}

export const USAGE = `Usage: npm run grow -- [options]

Starts one Postgres server with the people of a graph, and lets them read, tweet and follow through the HTTP API without
a pause, while it grows: two replicas, then two more shards with an equal share of the buckets each. At the end every
tweet and follow that was acknowledged is read back, home timelines are compared with the database, and the shards are
audited.

  --graph FILE      edge list, plain or .gz (default: ../shared/graphs/socfb-Reed98.edges)
  --directed        its lines are "follower followee"; else both follow each other
  --users N         only the N people with the most edges
  --back            then the way back, to one shard without replicas of its own
  --rest S          seconds between two steps (default 10)
  --concurrency C   connections (default 12)
  --seed N          another random choice (default 1)
  --svg FILE        where the plot goes (default: growth.svg)
  --json FILE       also writes the result there

Exit codes: 0 all well, 1 something was lost, failed or differs, 2 bad options.
`;

/** Reads the command line; undefined where it asks for help. Throws UsageError. */
export function parseGrowOptions(args: string[]): GrowOptions | undefined {
  const { positionals, values } = readCommandLine({
    args,
    allowPositionals: true,
    options: {
      graph: { type: "string", default: "../shared/graphs/socfb-Reed98.edges" },
      directed: { type: "boolean", default: false },
      users: { type: "string" },
      back: { type: "boolean", default: false },
      rest: { type: "string", default: "10" },
      concurrency: { type: "string", default: "12" },
      seed: { type: "string", default: "1" },
      svg: { type: "string", default: "growth.svg" },
      json: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  if (positionals.length > 0) throw new UsageError(`expected no arguments, got "${positionals[0]}"`);
  return {
    graph: values.graph,
    directed: values.directed,
    users: values.users === undefined ? undefined : wholeNumber("--users", values.users, 2, 2 ** 26),
    back: values.back,
    rest: wholeNumber("--rest", values.rest, 0, 3_600),
    concurrency: wholeNumber("--concurrency", values.concurrency, 1, 4_096),
    seed: wholeNumber("--seed", values.seed, 0, 2 ** 32 - 1),
    svg: values.svg,
    json: values.json,
  };
}
