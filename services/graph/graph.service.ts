import type { ServiceBroker, ServiceSchema } from "moleculer";
import { limits } from "../../config/limits.ts";
import { Batcher } from "../../mixins/batcher.ts";
import { CounterFold } from "../../mixins/counters.ts";
import { removeJobs } from "../../mixins/outbox.repo.ts";
import { OutboxDrain } from "../../mixins/outbox.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import { EDGE_KINDS, type Id } from "../contracts/actions.ts";
import { requireViewer } from "../contracts/context.ts";
import { actionsOf } from "../contracts/service.ts";
import { id, optional } from "../contracts/validators.ts";
import { UserReader } from "../user/user-reader.ts";
import { Edges, edgeOf } from "./edges.ts";
import { reconcileEdge } from "./reconcile.ts";

/** Follow, block and mute: every relation between users. */
export default function graphService(broker: ServiceBroker): ServiceSchema {
  const { db, redis, metrics } = resourcesOf(broker);
  const settled = new Batcher<Id>(
    20,
    (jobs) => removeJobs(db, jobs),
    (error) => broker.logger.debug(`outbox rows are left to the drain: ${String(error)}`),
  );
  const edges = new Edges(db, redis, new UserReader({ db, redis }), settled, (jobs) => {
    const shards = [...new Set(jobs.map((job) => db.shardOf({ id: job })))];
    // A lost nudge only costs the time until the next poll.
    for (const shard of shards) broker.broadcast("outbox.ready", { shard, kinds: ["edge"] }).catch(() => {});
  });
  const fold = new CounterFold(db);
  const outbox = new OutboxDrain({
    broker,
    db,
    metrics,
    service: "graph",
    handlers: {
      edge: async ({ key }) => {
        await reconcileEdge(db, redis, edgeOf(key));
        return "done";
      },
    },
  });
  const target = { target_user_id: id };

  return {
    name: "graph",
    actions: actionsOf("graph", {
      follow: {
        params: target,
        handler: (ctx) => edges.follow(requireViewer(ctx), ctx.params.target_user_id),
      },
      unfollow: {
        params: target,
        handler: (ctx) => edges.unfollow(requireViewer(ctx), ctx.params.target_user_id),
      },
      block: { params: target, handler: (ctx) => edges.block(requireViewer(ctx), ctx.params.target_user_id) },
      unblock: {
        params: target,
        handler: (ctx) => edges.unblock(requireViewer(ctx), ctx.params.target_user_id),
      },
      mute: { params: target, handler: (ctx) => edges.mute(requireViewer(ctx), ctx.params.target_user_id) },
      unmute: {
        params: target,
        handler: (ctx) => edges.unmute(requireViewer(ctx), ctx.params.target_user_id),
      },
      list: {
        readOnly: true,
        params: {
          user_id: id,
          kind: { type: "enum", values: [...EDGE_KINDS] },
          direction: { type: "enum", values: ["out", "in"] },
          limit: { type: "number", integer: true, min: limits.listPage.min, max: limits.listPage.max },
          cursor: { type: "string", optional: true },
          with_metrics: optional("boolean"),
        },
        handler: (ctx) => edges.list(requireViewer(ctx), ctx.params),
      },
    }),
    events: outbox.events,
    started() {
      outbox.start();
      fold.start();
    },
    async stopped() {
      await Promise.all([outbox.stop(), fold.stop()]);
      await settled.close();
    },
  };
}
