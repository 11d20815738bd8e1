import type { RedisStore } from "../../mixins/redis/index.ts";
import type { ShardDb } from "../../mixins/shard-db/index.ts";
import { scatter } from "../../mixins/shard-db/scatter.ts";
import { endBlockedFollow } from "../graph/edges.repo.ts";
import { reconcileEdge } from "../graph/reconcile.ts";
import { mendCounters } from "./audit.repo.ts";
import { countedKinds } from "./audit-counters.ts";
import type { Finding } from "./audit-findings.ts";

/** Edges that are mended at the same time. */
const WIDTH = 8;

/**
 * Mends what can be mended without losing anything: a mirror is made to agree with its edge, as the outbox would do it; a
 * follow across a block ends; a counter gets the difference; a Redis entry is deleted, and read anew from Postgres. Each
 * looks at what is there by then, so it is safe while people write. Rows out of place and jobs are left to the
 * operator. Returns how many findings were mended. Throws 503 or RedisDown.
 */
export async function mend(db: ShardDb, redis: RedisStore | undefined, findings: Finding[]): Promise<number> {
  const of = <C extends Finding["check"]>(check: C) =>
    findings.filter((finding): finding is Extract<Finding, { check: C }> => finding.check === check);
  const [mirrors, follows, counters, entries] = [of("mirror"), of("block"), of("counter"), of("redis")];
  await scatter(mirrors, WIDTH, (edge) => reconcileEdge(db, redis, edge));
  await scatter(follows, WIDTH, async ({ src, dst }) => {
    await endBlockedFollow(db, { src, dst });
    await reconcileEdge(db, redis, { src, kind: "follow", dst });
  });
  // Mending a mirror counts it, so that whatever is still wrong by now is added last.
  await mendCounters(db, counters, countedKinds);
  await redis?.delete(entries.map(({ key }) => key));
  return mirrors.length + follows.length + counters.length + entries.length;
}
