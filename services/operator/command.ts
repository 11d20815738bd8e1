import type { Env } from "../../config/env.ts";
import { ShardDb } from "../../mixins/shard-db/index.ts";

/** The options that say which servers a command is about. */
export const SERVERS = { "topology-file": { type: "string" }, data: { type: "string" } } as const;

export const SERVERS_USAGE = `  --topology-file FILE  of the databases (default: TOPOLOGY_FILE)
  --data DIR            the data directory of the npm start whose servers they are (default, without a file: .roost/)`;

/** What a command line asks for. */
export interface Task {
  /** undefined: TOPOLOGY_FILE, or that of `npm start`. */
  topologyFile: string | undefined;
  /** Of `npm start`; undefined: the usual one. */
  dataDir: string | undefined;
  /** Does it, prints what came of it, and returns the exit code. */
  run(env: Env): Promise<number>;
}

/** A command for operators, which works on the databases directly. */
export interface OperatorCommand {
  usage: string;
  /** Exit code where it could not be done; 2 is that of wrong arguments. */
  failed: 1 | 2;
  /** Undefined where help is asked for. Throws UsageError where the arguments make no sense: nothing is done then. */
  read(args: string[]): Task | undefined;
}

/** Runs `work` on the shards. Throws 503 where none answers. */
export async function onShards<T>({ topology }: Env, work: (db: ShardDb) => Promise<T>): Promise<T> {
  const db = new ShardDb(topology, { poolSize: 4, application: "operator" });
  try {
    await db.open();
    return await work(db);
  } finally {
    await db.close();
  }
}
