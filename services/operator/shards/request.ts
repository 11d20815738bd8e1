import { readCommandLine, UsageError } from "../../../config/command-line.ts";
import { BUCKETS, type BucketRange } from "../../../config/topology.ts";
import { SERVERS, SERVERS_USAGE } from "../command.ts";
import type { Addresses } from "./change-map.ts";

export const USAGE = `Usage: npm run shards -- status
       npm run shards -- move --buckets A-B --to SHARD
       npm run shards -- add SHARD --primary URL [--replica URL]…
       npm run shards -- servers SHARD --primary URL [--replica URL]…
       npm run shards -- rebalance [--onto SHARD,…] [--by buckets|rows] [--plan]
       npm run shards -- remove SHARD
       npm run shards -- abort [--accept]

Which shard has which of the ${BUCKETS} buckets, and moving them, while people read and write.

  status     the map, each shard's servers and size, moves under way and the latest ones
  move       moves a range of buckets that is on one shard; first puts in order what a killed move left
  add        takes an empty database into the map, as a shard without buckets
  servers    says where the servers of a shard are, for all nodes
  rebalance  moves as few buckets as make the shards equal, one range after the other
  remove     takes a shard without buckets out of the map
  abort      puts in order what a killed move left: back where it was not decided, else forward

  --onto     the shards that are to have buckets at all (default: all): "--onto s0" is the way back to one
  --by       what is to be equal (default: buckets)
  --plan     only prints the moves
  --accept   the rows of a move that were found to differ have been looked at: the source's are deleted
  --json     prints as JSON: status as one line; of moves, a line for each step and how far it is

${SERVERS_USAGE}

Exit codes: 0 done, 1 not done, 2 wrong arguments.`;

/** What the arguments ask for. */
export type ShardsRequest =
  | { do: "status" }
  | { do: "move"; range: BucketRange; to: string }
  | ({ do: "add" | "servers" } & Addresses)
  | { do: "remove"; shard: string }
  | { do: "rebalance"; onto: string[] | undefined; by: "buckets" | "rows"; planOnly: boolean }
  | { do: "abort"; accept: boolean };

export interface ReadRequest {
  request: ShardsRequest;
  json: boolean;
  topologyFile: string | undefined;
  dataDir: string | undefined;
}

/** Undefined where help is asked for. Throws UsageError. */
export function readRequest(args: string[]): ReadRequest | undefined {
  const { positionals, values } = readCommandLine({
    args,
    allowPositionals: true,
    options: {
      buckets: { type: "string" },
      to: { type: "string" },
      primary: { type: "string" },
      replica: { type: "string", multiple: true },
      onto: { type: "string" },
      by: { type: "string" },
      plan: { type: "boolean" },
      accept: { type: "boolean" },
      json: { type: "boolean", default: false },
      ...SERVERS,
      help: { type: "boolean" },
    },
  });
  if (values.help) return undefined;
  const { json, "topology-file": topologyFile, data: dataDir, help: _, ...options } = values;
  return { request: requestOf(positionals, options), json, topologyFile, dataDir };
}

interface Options {
  buckets?: string | undefined;
  to?: string | undefined;
  primary?: string | undefined;
  replica?: string[] | undefined;
  onto?: string | undefined;
  by?: string | undefined;
  plan?: boolean | undefined;
  accept?: boolean | undefined;
}

/** Which options go with what, beside --json. */
const TAKES: Record<ShardsRequest["do"], { shard: boolean; options: (keyof Options)[] }> = {
  status: { shard: false, options: [] },
  move: { shard: false, options: ["buckets", "to"] },
  add: { shard: true, options: ["primary", "replica"] },
  servers: { shard: true, options: ["primary", "replica"] },
  remove: { shard: true, options: [] },
  rebalance: { shard: false, options: ["onto", "by", "plan"] },
  abort: { shard: false, options: ["accept"] },
};

function requestOf([action = "", shard, ...rest]: string[], options: Options): ShardsRequest {
  if (!isAction(action))
    throw new UsageError(`expected one of ${Object.keys(TAKES).join(", ")}, got "${action}"`);
  const takes = TAKES[action];
  const odd = Object.entries(options).find(
    ([name, value]) => value !== undefined && !takes.options.some((option) => option === name),
  );
  if (odd) throw new UsageError(`${action}: --${odd[0]} does not go with it`);
  const extra = takes.shard ? rest[0] : shard;
  if (extra !== undefined) throw new UsageError(`${action}: too much: "${extra}"`);
  switch (action) {
    case "status":
      return { do: action };
    case "move":
      return { do: action, range: rangeOf(options.buckets), to: shardName("--to", options.to) };
    case "add":
    case "servers": {
      const [primary, ...replicas] = [options.primary, ...(options.replica ?? [])].map((url) => urlOf(url));
      return { do: action, shard: shardName(action, shard), primary: primary ?? "", replicas };
    }
    case "remove":
      return { do: action, shard: shardName(action, shard) };
    case "rebalance": {
      const onto = options.onto?.split(",").map((name) => shardName("--onto", name));
      return { do: action, onto, by: measure(options.by), planOnly: options.plan ?? false };
    }
    case "abort":
      return { do: action, accept: options.accept ?? false };
  }
}

const isAction = (word: string): word is ShardsRequest["do"] => Object.hasOwn(TAKES, word);

function rangeOf(text: string | undefined): BucketRange {
  const [, first, last] = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(text ?? "") ?? [];
  const range = [Number(first), Number(last ?? first)] as const;
  if (first === undefined || range[0] > range[1] || range[1] >= BUCKETS) {
    throw new UsageError(`--buckets: expected A-B within 0-${BUCKETS - 1}, got "${text ?? ""}"`);
  }
  return range;
}

function shardName(where: string, name: string | undefined): string {
  if (name !== undefined && /^[a-z0-9_-]{1,32}$/.test(name)) return name;
  throw new UsageError(`${where}: expected the name of a shard (a-z, 0-9, _ and -), got "${name ?? ""}"`);
}

function urlOf(text: string | undefined): string {
  if (text !== undefined && /^postgres(ql)?:\/\//.test(text) && URL.canParse(text)) return text;
  throw new UsageError("--primary, --replica: expected a postgres:// URL");
}

function measure(by = "buckets"): "buckets" | "rows" {
  if (by === "buckets" || by === "rows") return by;
  throw new UsageError(`--by: expected buckets or rows, got "${by}"`);
}
