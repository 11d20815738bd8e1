import { readCommandLine, UsageError } from "../../config/command-line.ts";
import { isId } from "../../mixins/shard-db/ids.ts";
import type { ShardDb } from "../../mixins/shard-db/index.ts";
import type { Id } from "../contracts/users.ts";
import { authorNow, pinMode } from "../timeline/fanout.repo.ts";
import type { Wanted } from "../timeline/fanout-policy.ts";
import { type OperatorCommand, onShards, SERVERS, SERVERS_USAGE } from "./command.ts";

const USAGE = `Usage: npm run fanout -- show USER_ID
       npm run fanout -- pin USER_ID push|pull|none

How a user's tweets reach home timelines: pushed into the lists of followers, or pulled from the user's own list by
those who read. Timelines are the same either way.

  show      prints the mode, as a line of JSON
  pin       has the user pushed or pulled whatever FANOUT_POLICY says; none: as it says

${SERVERS_USAGE}

Exit codes: 0 done, 1 not done, 2 wrong arguments.`;

/** What the arguments ask for. */
export type FanoutRequest = { show: Id } | { pin: Id; mode: Wanted | null };

export const fanoutCommand: OperatorCommand = {
  usage: USAGE,
  failed: 1,
  read(args) {
    const { positionals, values } = readCommandLine({
      args,
      allowPositionals: true,
      options: { ...SERVERS, help: { type: "boolean" } },
    });
    if (values.help) return undefined;
    const request = requestOf(positionals);
    return {
      topologyFile: values["topology-file"],
      dataDir: values.data,
      run: (env) => onShards(env, (db) => answer(db, request)),
    };
  },
};

/** Throws UsageError. */
export function requestOf([action, user, word, ...rest]: string[]): FanoutRequest {
  if (action !== "show" && action !== "pin") {
    throw new UsageError(`expected show or pin, got "${action ?? ""}"`);
  }
  if (!isId(user)) throw new UsageError(`${action}: expected the id of a user, got "${user ?? ""}"`);
  const extra = action === "show" ? word : rest[0];
  if (extra !== undefined) throw new UsageError(`${action}: too much: "${extra}"`);
  if (action === "show") return { show: user };
  if (word === "none") return { pin: user, mode: null };
  if (word === "push" || word === "pull") return { pin: user, mode: word };
  throw new UsageError(`pin: expected push, pull or none, got "${word ?? ""}"`);
}

async function answer(db: ShardDb, request: FanoutRequest): Promise<number> {
  const user = "show" in request ? request.show : request.pin;
  if ("pin" in request && !(await pinMode(db, user, request.mode))) {
    throw new Error(`there is no user ${user}`);
  }
  const { stay: _, ...author } = await authorNow(db, user);
  console.log(JSON.stringify({ user, ...author }));
  return 0;
}
