import { readCommandLine, UsageError } from "../config/command-line.ts";
import type { TopologyName } from "./types.ts";

/** What `npm start` was asked for. */
export interface StartOptions {
  topology: TopologyName | undefined;
  replicas: number | undefined;
  sync: boolean | undefined;
  split: boolean;
  workers: number;
  port: number;
  dataDir: string;
  repl: boolean;
  help: boolean;
}

export const USAGE = `Usage: npm start -- [options]

  --topology NAME  single    1 Postgres primary, 1 Redis (default for a new data directory; one that
                             exists comes back as it was)
                   replicas  1 primary and 3 streaming replicas; Redis master and replica under Sentinel
                   sharded   3 shards, each a primary and a replica; Redis Cluster of 3 masters with replicas
  --replicas N     another number of Postgres replicas for each shard
  --sync           a write is acknowledged only once a replica of its shard has it too; takes two replicas
                   or more, and stays so until --no-sync
  --split          a process for each service, over NATS
  --workers N      N processes of each service, or of all five where not split (default 1)
  --port N         of the API (default PORT, else 3000)
  --data DIR       where data, ports, secrets and logs are kept between runs (default .roost/)
  --no-repl        no Moleculer REPL on the terminal
  --help           this text

Servers that run already are used instead of own ones: TOPOLOGY_FILE, REDIS_URL, NATS_URL.
Further environment variables:
  ROOST_NO_REDIS=1, ROOST_NO_NATS=1  run without Redis, without NATS
  ROOST_NO_DOWNLOAD=1                fetch no server programs from the Debian archive
  ROOST_NO_INSTALLED=1               use no server programs from the PATH
  ROOST_NO_UNSHARE=1                 as root, run Postgres as another uid, not in a user namespace
  ROOST_CACHE=DIR                    where fetched programs are kept (default .cache/)
`;

const TOPOLOGIES: readonly TopologyName[] = ["single", "replicas", "sharded"];

/**
 * Reads the command line of `npm start`.
 * @throws UsageError
 */
export function parseOptions(args: string[]): StartOptions {
  const values = parse(args);
  return {
    topology: values.topology === undefined ? undefined : topologyOf(values.topology),
    replicas: values.replicas === undefined ? undefined : wholeNumber("--replicas", values.replicas, 0, 10),
    sync: values.sync ? true : values["no-sync"] ? false : undefined,
    split: values.split,
    workers: wholeNumber("--workers", values.workers, 1, 64),
    port: wholeNumber("--port", values.port, 1, 65_535),
    dataDir: values.data,
    repl: !values["no-repl"],
    help: values.help,
  };
}

function parse(args: string[]) {
  return readCommandLine({
    args,
    options: {
      topology: { type: "string" },
      replicas: { type: "string" },
      sync: { type: "boolean", default: false },
      "no-sync": { type: "boolean", default: false },
      split: { type: "boolean", default: false },
      workers: { type: "string", default: "1" },
      port: { type: "string", default: process.env.PORT || "3000" },
      data: { type: "string", default: ".roost" },
      "no-repl": { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  }).values;
}

/** The topology that `--topology` names. Throws UsageError. */
export function topologyOf(name: string): TopologyName {
  const found = TOPOLOGIES.find((each) => each === name);
  if (found === undefined)
    throw new UsageError(`--topology: expected ${TOPOLOGIES.join(", ")}, got "${name}"`);
  return found;
}

/** The value of an option that takes a whole number. Throws UsageError. */
export function wholeNumber(option: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw new UsageError(`${option}: expected a whole number from ${least} to ${most}, got "${text}"`);
}
