import { readCommandLine, UsageError } from "../../config/command-line.ts";
import { wholeNumber } from "../../stack/options.ts";

export interface BulkCommand {
  /** Whom to follow whom: an edge list, or one that is made. */
  source: { graph: string; directed: boolean } | { people: number; meanFollows: number };
  seed: number;
  tweets: number;
  password: string;
  prefix: string;
  add: boolean;
  topologyFile: string;
}

export const USAGE = `Usage: npm run bulk -- --graph FILE [--directed] [options]
       npm run bulk -- --power-law USERS [--follows MEAN] [options]

Fills empty databases with users who follow each other, and their tweets, by COPY: a million users in minutes. While it
runs nobody else can use the tables; everything is there in the end, or nothing.

  --graph FILE          edge list, plain or .gz: "u v" means that both follow each other
  --directed            lines are "follower followee" instead
  --power-law USERS     so many users, whose numbers of followers follow a power law
  --follows MEAN        how many others each of them follows, on average (default 18)
  --seed N              another graph, other authors of tweets (default 1)
  --tweets N            so many in all, spread over the last 30 days (default 0)
  --prefix NAME         usernames are NAME0, NAME1, … (default u)
  --password TEXT       everybody's, to sign in with (default "bulk-loaded")
  --add                 into databases that are in use: more slowly, and beside what is there; needs a --prefix that is
                        not taken
  --topology-file FILE  of the databases (default: TOPOLOGY_FILE or .roost/topology.json)

Exit codes: 0 all loaded, 1 nothing loaded, 2 wrong arguments.
`;

const MOST_USERS = 2 ** 26;

/** Reads the command line; undefined where it asks for help. Throws UsageError. */
export function parseBulkCommand(args: string[], env: NodeJS.ProcessEnv): BulkCommand | undefined {
  const values = parse(args);
  if (values.help) return undefined;
  if (!/^[A-Za-z0-9_]{1,7}$/.test(values.prefix)) {
    throw new UsageError(`--prefix: expected 1 to 7 of A-Z, a-z, 0-9 and _, got "${values.prefix}"`);
  }
  if (values.password.length < 8) throw new UsageError("--password: expected 8 characters or more");
  return {
    source: sourceOf(values),
    seed: wholeNumber("--seed", values.seed, 0, 2 ** 32 - 1),
    tweets: wholeNumber("--tweets", values.tweets, 0, 1e9),
    password: values.password,
    prefix: values.prefix,
    add: values.add,
    topologyFile: values["topology-file"] ?? env.TOPOLOGY_FILE ?? ".roost/topology.json",
  };
}

function sourceOf({ graph, directed, follows, ...values }: ReturnType<typeof parse>): BulkCommand["source"] {
  const users = values["power-law"];
  if ((graph === undefined) === (users === undefined)) {
    throw new UsageError("expected either --graph FILE or --power-law USERS");
  }
  if (graph !== undefined) {
    if (follows !== undefined) throw new UsageError("--follows: goes with --power-law");
    return { graph, directed };
  }
  if (directed) throw new UsageError("--directed: goes with --graph");
  return {
    people: wholeNumber("--power-law", users ?? "", 1, MOST_USERS),
    meanFollows: wholeNumber("--follows", follows ?? "18", 0, 10_000),
  };
}

function parse(args: string[]) {
  return readCommandLine({
    args,
    options: {
      graph: { type: "string" },
      directed: { type: "boolean", default: false },
      "power-law": { type: "string" },
      follows: { type: "string" },
      seed: { type: "string", default: "1" },
      tweets: { type: "string", default: "0" },
      prefix: { type: "string", default: "u" },
      password: { type: "string", default: "bulk-loaded" },
      add: { type: "boolean", default: false },
      "topology-file": { type: "string" },
      help: { type: "boolean", default: false },
    },
  }).values;
}
