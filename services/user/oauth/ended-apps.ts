import type { PageHandler } from "../../../mixins/outbox-worker.ts";
import { type ShardDb, sql } from "../../../mixins/shard-db/index.ts";
import type { Sessions } from "../sessions/index.ts";
import { bucketOfClient } from "../sessions/tokens.ts";

/** After this time no request is under way any more that had found the app before it was deleted. */
const LAST_LOOK = "5 minutes";

/**
 * Works on "app" jobs: ends the sessions of an app that was deleted, page by page, shard after shard, and erases the rules
 * of its streams; and looks once more later, for what was being made meanwhile.
 */
export function endApp(db: ShardDb, sessions: Sessions): PageHandler {
  return async ({ key, cursor }) => {
    const { client_id: clientId, last }: Record<string, unknown> = { ...Object(key) };
    const bucket = typeof clientId === "string" ? bucketOfClient(clientId) : undefined;
    if (typeof clientId !== "string" || bucket === undefined) throw new Error("not an app");
    const { done = [] }: { done?: string[] } = { ...Object(cursor) };
    for (const shard of db.shards.filter((name) => !done.includes(name))) {
      if (await sessions.endOfClient(shard, clientId)) return { cursor: { done } };
      done.push(shard);
    }
    await db.write({ bucket }, sql`DELETE FROM stream_rules WHERE owner = ${clientId}`);
    if (last !== true) {
      const again = JSON.stringify({ client_id: clientId, last: true });
      await db.write(
        { bucket },
        sql`SELECT enqueue(${bucket}, 'app', ${again}::jsonb, ${LAST_LOOK}::interval)`,
      );
    }
    return "done";
  };
}
