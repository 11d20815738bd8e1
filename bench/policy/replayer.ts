/** The process whose cost is measured: all services but the gateway, and who calls them. */

import { resourcesOf } from "../../mixins/resources.ts";
import { newestFirst } from "../../mixins/shard-db/ids.ts";
import { sql } from "../../mixins/shard-db/index.ts";
import { startNode } from "../../services/node.ts";
import { inParallel } from "../load/phases.ts";
import type { Operation } from "./workload.ts";

/** What the process is asked for: to do operations, or what it has cost so far. */
export type Request = { replay: Operation[] } | { cost: true };
/** µs of CPU since it started; or what went wrong. */
export type Reply = { cpuMicros: number } | { error: string };

/** Operations under way at a time. */
const AT_ONCE = 8;
const PAGE = 20;
const TEXT = "A tweet of an ordinary length, some ninety characters long, as people write them every day. ☕";
const SESSION = "00000000-0000-0000-0000-000000000000";

const { broker } = await startNode(process.env);
const users = await usersInOrder();

async function replay(operations: Operation[]): Promise<void> {
  await inParallel(operations, AT_ONCE, async ({ who, tweets }) => {
    const userId = users[who] ?? "";
    const meta = { viewer: { userId, sessionId: SESSION } };
    if (tweets) await broker.call("tweet.create", { text: TEXT }, { meta });
    else await broker.call("timeline.home", { user_id: userId, limit: PAGE }, { meta });
  });
}

/** The users' ids, by position in the graph: they were made in that order. */
async function usersInOrder(): Promise<string[]> {
  const rows = await resourcesOf(broker).db.readAll(sql<{ id: string }>`SELECT id FROM users`);
  return rows.map(({ id }) => id).sort((a, b) => newestFirst(b, a));
}

async function answer(request: Request): Promise<Reply> {
  try {
    if ("replay" in request) await replay(request.replay);
    const { user, system } = process.cpuUsage();
    return { cpuMicros: user + system };
  } catch (error) {
    return { error: Error.isError(error) ? error.message : String(error) };
  }
}

// The cast: whoever forks this sends nothing else.
process.on("message", async (request) => process.send?.(await answer(request as Request)));
process.on("disconnect", () => process.exit());
process.send?.({ cpuMicros: 0 } satisfies Reply);
