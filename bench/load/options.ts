import { readCommandLine, UsageError } from "../../config/command-line.ts";
import { topologyOf, wholeNumber } from "../../stack/options.ts";
import type { TopologyName } from "../../stack/types.ts";

/** What the mix is made of: a page of one's home timeline, a page of somebody's tweets, a tweet. */
export const MIX_OPERATIONS = ["home", "user", "compose"] as const;
export type MixOperation = (typeof MIX_OPERATIONS)[number];

/** How often each operation is chosen, relative to the others. */
export type Mix = Record<MixOperation, number>;

export interface LoadOptions {
  graph: string;
  directed: boolean;
  users: number | undefined;
  mix: Mix;
  /** Requests a second, sent on schedule whatever the answers take; undefined: each connection waits for its answer. */
  rate: number | undefined;
  seconds: number;
  concurrency: number;
  seed: number;
  /** A Roost that runs already; undefined: one of its own. */
  target: { url: string; topologyFile: string } | undefined;
  topology: TopologyName;
  split: boolean;
  workers: number;
  /** Where the own stack keeps its data and logs; undefined: nowhere. */
  dataDir: string | undefined;
  json: string | undefined;
  tolerateErrors: boolean;
}

export const USAGE = `Usage: npm run load -- --graph FILE [options]

Signs up the people of a graph, follows along its edges, tweets, then reads and tweets for a while; compares home
timelines with the database at the end.

  --graph FILE          edge list, plain or .gz: "u v" means that both follow each other
  --directed            lines are "follower followee" instead
  --users N             only the N people with the most edges
  --mix LIST            home=60,user=30,compose=10 (default): how often each operation is chosen
  --seconds S           how long the mix runs (default 30)
  --rate R              R requests a second on schedule; latency counts from the scheduled moment, and what
                        the connections do not carry in time is sent late.
                        Default: each connection sends its next request after the answer to the last
  --concurrency C       connections (default 16)
  --seed N              another random choice of users, texts and samples (default 1)
  --json FILE           also writes the result there
  --tolerate-errors     failed requests are reported, but only differences make the exit code 1

A stack of its own, taken down at the end:
  --topology NAME       single (default), replicas or sharded
  --split               a process for each service
  --workers N           N processes of each service, or of all five where not split (default 1)
  --data DIR            where its data and logs are kept (default: a temporary directory, removed at the end)
or one that runs already, with RATE_LIMIT_FACTOR=0:
  --url URL             of its API
  --topology-file FILE  of its databases, for the comparison (default: TOPOLOGY_FILE or .roost/topology.json)

Exit codes: 0 all well, 1 a failed request or a difference, 2 bad options.
`;

/**
 * Reads the command line; undefined where it asks for help.
 * @throws UsageError, one line that names the option
 */
export function parseLoadOptions(args: string[], env: NodeJS.ProcessEnv): LoadOptions | undefined {
  const values = parse(args);
  if (values.help) return undefined;
  if (values.graph === undefined) throw new UsageError("--graph: name an edge list");
  const optional = (name: string, text: string | undefined, most: number) =>
    text === undefined ? undefined : wholeNumber(name, text, 1, most);
  return {
    graph: values.graph,
    directed: values.directed,
    users: optional("--users", values.users, 2 ** 26),
    mix: parseMix(values.mix),
    rate: optional("--rate", values.rate, 1_000_000),
    seconds: wholeNumber("--seconds", values.seconds, 0, 86_400),
    concurrency: wholeNumber("--concurrency", values.concurrency, 1, 4096),
    seed: wholeNumber("--seed", values.seed, 0, 2 ** 32 - 1),
    target: targetOf(values, env),
    topology: topologyOf(values.topology ?? "single"),
    split: values.split ?? false,
    workers: wholeNumber("--workers", values.workers ?? "1", 1, 64),
    dataDir: values.data,
    json: values.json,
    tolerateErrors: values["tolerate-errors"],
  };
}

/** Reads `home=60,user=30,compose=10`; what is not named is not done. Throws UsageError. */
export function parseMix(text: string): Mix {
  const mix: Mix = { home: 0, user: 0, compose: 0 };
  for (const part of text.split(",")) {
    const [, name, weight] = /^\s*(\w+)=(\d{1,6})\s*$/.exec(part) ?? [];
    const operation = MIX_OPERATIONS.find((each) => each === name);
    if (operation === undefined) {
      throw new UsageError(`--mix: expected ${MIX_OPERATIONS.join(", ")}, each with =NUMBER, got "${part}"`);
    }
    mix[operation] = Number(weight);
  }
  if (MIX_OPERATIONS.every((name) => mix[name] === 0)) throw new UsageError("--mix: all parts are 0");
  return mix;
}

function parse(args: string[]) {
  return readCommandLine({
    args,
    options: {
      graph: { type: "string" },
      directed: { type: "boolean", default: false },
      users: { type: "string" },
      mix: { type: "string", default: "home=60,user=30,compose=10" },
      rate: { type: "string" },
      seconds: { type: "string", default: "30" },
      concurrency: { type: "string", default: "16" },
      seed: { type: "string", default: "1" },
      url: { type: "string" },
      "topology-file": { type: "string" },
      topology: { type: "string" },
      split: { type: "boolean" },
      workers: { type: "string" },
      data: { type: "string" },
      json: { type: "string" },
      "tolerate-errors": { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  }).values;
}

function targetOf(values: ReturnType<typeof parse>, env: NodeJS.ProcessEnv): LoadOptions["target"] {
  if (values.url === undefined) {
    if (values["topology-file"] === undefined) return undefined;
    throw new UsageError("--topology-file: goes with --url");
  }
  for (const own of ["topology", "split", "workers", "data"] as const) {
    if (values[own] !== undefined)
      throw new UsageError(`--${own}: is for a stack of its own, not for a --url`);
  }
  if (!/^https?:\/\//.test(values.url) || !URL.canParse(values.url)) {
    throw new UsageError(`--url: expected http://HOST:PORT, got "${values.url}"`);
  }
  const topologyFile = values["topology-file"] ?? env.TOPOLOGY_FILE ?? ".roost/topology.json";
  return { url: new URL(values.url).origin, topologyFile };
}
