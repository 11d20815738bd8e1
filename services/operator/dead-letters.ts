import { readCommandLine, UsageError } from "../../config/command-line.ts";
import { isId } from "../../mixins/shard-db/ids.ts";
import type { ShardDb } from "../../mixins/shard-db/index.ts";
import type { Id } from "../contracts/users.ts";
import { type OperatorCommand, onShards, SERVERS, SERVERS_USAGE } from "./command.ts";
import { type DeadLetter, deadLetterIds, deadLetters, replay } from "./dead-letters.repo.ts";

/** So many of each shard are listed. */
const LISTED = 1_000;

const USAGE = `Usage: npm run dead-letters -- list [--json]
       npm run dead-letters -- replay ID…
       npm run dead-letters -- replay --all

Jobs of the outbox that were given up after ten attempts. What they were to bring about has not come about.

  list      shows the latest ${LISTED} of each shard, with the error of the last attempt
  --json    as a line of JSON each
  replay    puts jobs back into the outbox, once the cause is mended: they are tried anew

${SERVERS_USAGE}

Exit codes: 0 done, 1 not done, 2 wrong arguments.`;

/** What the arguments ask for. */
export type DeadLetterRequest = { list: "text" | "json" } | { replay: "all" | Id[] };

export const deadLettersCommand: OperatorCommand = {
  usage: USAGE,
  failed: 1,
  read(args) {
    const { positionals, values } = readCommandLine({
      args,
      allowPositionals: true,
      options: {
        all: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        ...SERVERS,
        help: { type: "boolean" },
      },
    });
    if (values.help) return undefined;
    const request = requestOf(positionals, values);
    return {
      topologyFile: values["topology-file"],
      dataDir: values.data,
      run: (env) =>
        onShards(env, (db) => ("list" in request ? list(db, request.list) : replayThem(db, request.replay))),
    };
  },
};

/** Throws UsageError. */
export function requestOf(
  [action, ...ids]: string[],
  { all, json }: { all: boolean; json: boolean },
): DeadLetterRequest {
  if (action === "list") {
    if (ids.length > 0) throw new UsageError(`list: takes no ids, got "${ids[0]}"`);
    if (all) throw new UsageError("--all: goes with replay");
    return { list: json ? "json" : "text" };
  }
  if (action !== "replay") throw new UsageError(`expected list or replay, got "${action ?? ""}"`);
  if (json) throw new UsageError("--json: goes with list");
  const odd = ids.find((id) => !isId(id));
  if (odd !== undefined) throw new UsageError(`replay: not an id: "${odd}"`);
  if (all === ids.length > 0) throw new UsageError("replay: expected either ids or --all");
  return { replay: all ? "all" : [...new Set(ids)] };
}

async function list(db: ShardDb, as: "text" | "json"): Promise<number> {
  const found = await deadLetters(db, LISTED);
  for (const letter of found) console.log(as === "json" ? JSON.stringify(letter) : describe(letter));
  if (found.length === 0 && as === "text") console.log("no dead letters");
  return 0;
}

function describe({ id, kind, key, attempts, last_error, died_at }: DeadLetter): string {
  // An error may quote what somebody sent: no control character reaches the terminal.
  const error = (last_error ?? "").replace(/\p{Cc}+/gu, " ");
  return `${id}  ${kind} ${JSON.stringify(key)}\n  ${died_at.toISOString()}, attempt ${attempts}: ${error}`;
}

async function replayThem(db: ShardDb, which: "all" | Id[]): Promise<number> {
  const found = await deadLetterIds(db, which === "all" ? undefined : which);
  if (which !== "all") {
    const missing = which.filter((id) => !found.includes(id));
    if (missing.length > 0) throw new Error(`no dead letters: ${missing.join(", ")}: nothing was replayed`);
  }
  console.log(`${await replay(db, found)} replayed`);
  return 0;
}
