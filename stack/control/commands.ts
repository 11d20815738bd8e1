import { readCommandLine, UsageError } from "../../config/command-line.ts";
import { wholeNumber } from "../options.ts";
import type { ServerStatus } from "../status.ts";
import type { Stack } from "../types.ts";

export const USAGE = `Usage: npm run stack -- COMMAND [options]

Changes the servers of a Roost that \`npm start\` runs, while it runs.

  status                          every server: role, timeline, position (--json)
  failover SHARD                  fence the primary, promote the replica that has most, take the old one back as a replica
    --keep-old                    keep the old primary's data aside instead
    --accept-loss                 even if a replica that may alone hold acknowledged writes does not answer (--sync)
  add-replica SHARD               a further replica, copied from the running primary
  remove-replica SERVER
  add-shard SHARD [--replicas N]  an empty shard (default: no replicas); \`npm run shards -- add\` takes it into the map
  remove-shard SHARD              once the shard map does not name it any more

  --data DIR                      which Roost: its data directory (default .roost/)
  --help                          this text
`;

/** What a command answers, beside the lines that it says on its way. */
export type Answer = { status: ServerStatus[] } | { urls: string[] } | Record<string, never>;

/** A command, ready to be carried out. */
export interface Command {
  perform(stack: Stack, onProgress: (line: string) => void): Promise<Answer>;
}

export interface CommandLine {
  /** undefined: only the usage was asked for. */
  command: Command | undefined;
  dataDir: string;
  json: boolean;
}

/** Reads the command line of `npm run stack`. Throws UsageError. */
export function parseCommandLine(args: string[]): CommandLine {
  const { values, positionals } = readCommandLine({
    args,
    allowPositionals: true,
    options: {
      data: { type: "string", default: ".roost" },
      json: { type: "boolean", default: false },
      replicas: { type: "string" },
      "keep-old": { type: "boolean", default: false },
      "accept-loss": { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const line = { dataDir: values.data, json: values.json };
  if (values.help) return { ...line, command: undefined };
  const [name = "", ...operands] = positionals;
  const operand = (what: string): string => {
    const [only, ...more] = operands;
    if (only === undefined || more.length > 0) throw new UsageError(`${name}: expected one ${what}`);
    return only;
  };
  const replicas = wholeNumber("--replicas", values.replicas ?? "0", 0, 10);
  return { ...line, command: commandFor(name, operand, { ...values, replicas }) };
}

function commandFor(
  name: string,
  operand: (what: string) => string,
  options: { replicas: number; "keep-old": boolean; "accept-loss": boolean },
): Command {
  switch (name) {
    case "status":
      return { perform: async (stack) => ({ status: await stack.status() }) };
    case "failover": {
      const shard = operand("shard");
      const how = {
        old: options["keep-old"] ? "fenced" : "rejoin",
        acceptLoss: options["accept-loss"],
      } as const;
      return done((stack, onProgress) => stack.failover(shard, { ...how, onProgress }));
    }
    case "add-replica": {
      const shard = operand("shard");
      return done(async (stack, onProgress) => {
        onProgress(`${await stack.addReplica(shard, { onProgress })} follows`);
      });
    }
    case "remove-replica": {
      const server = operand("server");
      return done((stack, onProgress) => stack.removeReplica(server, { onProgress }));
    }
    case "add-shard": {
      const shard = operand("shard");
      const { replicas } = options;
      return {
        perform: async (stack, onProgress) => ({
          urls: await stack.addShard(shard, { replicas, onProgress }),
        }),
      };
    }
    case "remove-shard": {
      const shard = operand("shard");
      return done((stack, onProgress) => stack.removeShard(shard, { onProgress }));
    }
    default:
      throw new UsageError(
        `expected one of status, failover, add-replica, remove-replica, add-shard, remove-shard, got "${name}"`,
      );
  }
}

function done(work: (stack: Stack, onProgress: (line: string) => void) => Promise<void>): Command {
  return {
    perform: async (stack, onProgress) => {
      await work(stack, onProgress);
      return {};
    },
  };
}
