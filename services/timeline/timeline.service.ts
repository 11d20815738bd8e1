import type { ServiceBroker, ServiceSchema } from "moleculer";
import { OutboxDrain } from "../../mixins/outbox.ts";
import { Periodic } from "../../mixins/periodic.ts";
import { RedisStore } from "../../mixins/redis/index.ts";
import { resourcesOf, storeOptions } from "../../mixins/resources.ts";
import { requireReader, requireSelf, requireViewer } from "../contracts/context.ts";
import { actionsOf } from "../contracts/service.ts";
import { exclude, id, searchRange, tweetList } from "../contracts/validators.ts";
import { authorsByMode } from "./fanout.repo.ts";
import { Fanout } from "./fanout.ts";
import { Timelines } from "./timelines.ts";

/** No request waits for a page of pushes. */
const PUSH_TIMEOUT_MS = 3_000;

/** How often pulled authors are looked through, and for how long one may not have been measured. */
const REVIEW = { everyMs: 300_000, afterMs: 6 * 3_600_000 } as const;

/** Home and author timelines, and the fan-out that keeps them. */
export default function timelineService(broker: ServiceBroker): ServiceSchema {
  const { db, redis, env, metrics } = resourcesOf(broker);
  const pushes = env.redisUrl
    ? new RedisStore(env.redisUrl, { ...storeOptions(env), commandTimeoutMs: PUSH_TIMEOUT_MS })
    : undefined;
  const byCost = env.fanoutPolicy === "cost";
  const timelines = new Timelines(db, redis, metrics, byCost);
  const fanout = new Fanout({
    db,
    redis,
    pushes,
    metrics,
    policy: env.fanoutPolicy,
    homeListMaxAgeMs: env.homeListMaxAgeMs,
    page: env.fanoutPage,
  });
  const outbox = new OutboxDrain({
    broker,
    db,
    metrics,
    service: "timeline",
    handlers: { mode: fanout.mode },
    paged: { tweet: fanout.tweet },
  });
  const review = new Periodic(REVIEW.everyMs, () => fanout.review(REVIEW.afterMs));
  metrics.onScrape(async () => {
    for (const [mode, authors] of Object.entries(await authorsByMode(db))) {
      metrics.fanoutAuthors.set({ mode }, authors);
    }
  });
  const query = {
    user_id: id,
    ...searchRange,
    exclude,
    ...tweetList,
  } as const;

  return {
    name: "timeline",
    actions: actionsOf("timeline", {
      home: {
        params: query,
        handler: (ctx) => timelines.home(requireSelf(ctx, ctx.params.user_id), ctx.params),
      },
      authors: {
        params: {},
        readOnly: true,
        handler: (ctx) => timelines.authors(requireViewer(ctx).userId),
      },
      mentions: {
        params: query,
        readOnly: true,
        auth: "reader",
        handler: (ctx) => timelines.mentions(requireReader(ctx)?.userId, ctx.params),
      },
      user: {
        params: query,
        readOnly: true,
        auth: "reader",
        handler: (ctx) => timelines.author(requireReader(ctx)?.userId, ctx.params),
      },
    }),
    events: outbox.events,
    async started() {
      await pushes?.open();
      outbox.start();
      if (byCost) review.start();
    },
    async stopped() {
      await review.stop();
      await outbox.stop();
      await pushes?.close();
    },
  };
}
