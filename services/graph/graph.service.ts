import type { ServiceBroker, ServiceSchema } from "moleculer";
import { limits } from "../../config/limits.ts";
import { CounterFold } from "../../mixins/counters.ts";
import { OutboxDrain } from "../../mixins/outbox.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import { type Meta, requireReader, requireViewer } from "../contracts/context.ts";
import { RELATION_KINDS } from "../contracts/edges.ts";
import { actionsOf } from "../contracts/service.ts";
import { cursor, id, tweetList, userExtras } from "../contracts/validators.ts";
import { UserReader } from "../user/user-reader.ts";
import { Edges, edgeOf } from "./edges.ts";
import { Engagements } from "./engagements.ts";
import { reconcileEdge } from "./reconcile.ts";
import { Reconciler } from "./reconciler.ts";

/** Every edge: the relations between users, and what users do with tweets. */
export default function graphService(broker: ServiceBroker): ServiceSchema {
  const { db, redis, metrics } = resourcesOf(broker);
  const reconciler = new Reconciler(broker);
  const edges = new Edges(db, new UserReader({ db, redis }), reconciler);
  const engagements = new Engagements({ db, redis }, reconciler);
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
  /** Streams of the home timeline learn whom to wait for; one that does not hear of it looks a while later. */
  const told = async <T>(ctx: { meta: Meta }, change: Promise<T>): Promise<T> => {
    const result = await change;
    broker.broadcast("graph.followed", { user_id: requireViewer(ctx).userId }).catch(() => {});
    return result;
  };
  const target = { target_user_id: id };
  const tweet = { tweet_id: id };

  return {
    name: "graph",
    actions: actionsOf("graph", {
      follow: {
        params: target,
        handler: (ctx) => told(ctx, edges.follow(requireViewer(ctx), ctx.params.target_user_id)),
      },
      unfollow: {
        params: target,
        handler: (ctx) => told(ctx, edges.unfollow(requireViewer(ctx), ctx.params.target_user_id)),
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
        auth: "reader",
        params: {
          user_id: id,
          kind: { type: "enum", values: [...RELATION_KINDS] },
          direction: { type: "enum", values: ["out", "in"] },
          limit: { type: "number", integer: true, min: limits.listPage.min, max: limits.listPage.max },
          cursor,
          ...userExtras,
        },
        handler: (ctx) => edges.list(requireReader(ctx), ctx.params),
      },
      like: { params: tweet, handler: (ctx) => engagements.like(requireViewer(ctx), ctx.params.tweet_id) },
      unlike: {
        params: tweet,
        handler: (ctx) => engagements.unlike(requireViewer(ctx), ctx.params.tweet_id),
      },
      bookmark: {
        params: tweet,
        handler: (ctx) => engagements.bookmark(requireViewer(ctx), ctx.params.tweet_id),
      },
      unbookmark: {
        params: tweet,
        handler: (ctx) => engagements.unbookmark(requireViewer(ctx), ctx.params.tweet_id),
      },
      engaged: {
        readOnly: true,
        auth: "reader",
        params: {
          tweet_id: id,
          kind: { type: "enum", values: ["like", "retweet"] },
          limit: { type: "number", integer: true, min: 1, max: limits.engagedPage.max },
          cursor,
          ...userExtras,
        },
        handler: (ctx) => engagements.engaged(ctx.params),
      },
      engagements: {
        readOnly: true,
        params: { user_id: id, kind: { type: "enum", values: ["like", "bookmark"] }, ...tweetList },
        handler: (ctx) => engagements.list(requireViewer(ctx), ctx.params),
      },
    }),
    events: outbox.events,
    started() {
      outbox.start();
      fold.start();
    },
    async stopped() {
      await Promise.all([outbox.stop(), fold.stop()]);
      await reconciler.close();
    },
  };
}
