import type { ServiceBroker, ServiceSchema } from "moleculer";
import { limits } from "../../config/limits.ts";
import { Batcher } from "../../mixins/batcher.ts";
import { Periodic } from "../../mixins/periodic.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import { GRANULARITIES, REPLY_SETTINGS } from "../contracts/actions.ts";
import { requireReader } from "../contracts/context.ts";
import { actionsOf } from "../contracts/service.ts";
import {
  exclude,
  id,
  idList,
  optionalId,
  searchRange,
  tweetExtras,
  tweetList,
} from "../contracts/validators.ts";
import { Reconciler } from "../graph/reconciler.ts";
import { resolver, Search } from "./search/search.ts";
import { purgeIdempotencyKeys } from "./tweet.repo.ts";
import { TweetLists } from "./tweet-lists.ts";
import { Tweets } from "./tweets.ts";

/** Write, read and delete tweets. */
export default function tweetService(broker: ServiceBroker): ServiceSchema {
  const { db, redis } = resourcesOf(broker);
  const reconciler = new Reconciler(broker);
  const nudges = new Batcher<string>(
    2,
    async (shards) => {
      for (const shard of new Set(shards))
        await broker.broadcast("outbox.ready", { shard, kinds: ["tweet"] });
    },
    () => {}, // a lost nudge only costs the time until the next poll
  );
  const tweets = new Tweets({ db, redis }, reconciler, (shard) => nudges.add(shard));
  const lists = new TweetLists({ db, redis });
  const search = new Search({ db, redis });
  const housekeeping = new Periodic(60_000, async () => {
    await Promise.all(db.shards.map((shard) => purgeIdempotencyKeys(db, shard)));
  });

  return {
    name: "tweet",
    actions: actionsOf("tweet", {
      create: {
        params: {
          text: { type: "string", max: 25_000 },
          in_reply_to_tweet_id: optionalId,
          quote_tweet_id: optionalId,
          reply_settings: { type: "enum", values: [...REPLY_SETTINGS], optional: true },
          idempotency_key: { type: "string", min: 1, max: 128, optional: true },
        },
        handler: (ctx) => tweets.create(ctx),
      },
      delete: { params: { id }, handler: (ctx) => tweets.delete(ctx) },
      retweet: { params: { tweet_id: id }, handler: (ctx) => tweets.retweet(ctx) },
      unretweet: { params: { tweet_id: id }, handler: (ctx) => tweets.unretweet(ctx) },
      get: {
        readOnly: true,
        auth: "reader",
        params: { ids: idList(limits.lookup), ...tweetExtras },
        handler: (ctx) => tweets.get(ctx.params, ctx.meta.viewer?.userId),
      },
      search: {
        readOnly: true,
        auth: "reader",
        params: { query: { type: "string" }, ...searchRange, ...tweetList },
        handler: (ctx) => search.recent(requireReader(ctx), resolver(ctx), ctx.params),
      },
      counts: {
        readOnly: true,
        auth: "reader",
        params: {
          query: { type: "string" },
          granularity: { type: "enum", values: [...GRANULARITIES] },
          ...searchRange,
        },
        handler: (ctx) => search.counts(requireReader(ctx), resolver(ctx), ctx.params),
      },
      about: {
        readOnly: true,
        auth: "reader",
        params: {
          tweet_id: id,
          kind: { type: "enum", values: ["reply", "quote", "retweet"] },
          ...tweetList,
          exclude,
        },
        handler: (ctx) => lists.about(ctx.params, ctx.meta.viewer?.userId),
      },
    }),
    started: () => housekeeping.start(),
    async stopped() {
      await housekeeping.stop();
      await Promise.all([nudges.close(), reconciler.close()]);
    },
  };
}
