import type { ServiceBroker, ServiceSchema } from "moleculer";
import { limits } from "../../config/limits.ts";
import { Batcher } from "../../mixins/batcher.ts";
import { Periodic } from "../../mixins/periodic.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import type { Ctx } from "../contracts/context.ts";
import { GRANULARITIES } from "../contracts/search.ts";
import { actionsOf } from "../contracts/service.ts";
import { REPLY_SETTINGS } from "../contracts/tweets.ts";
import {
  cursor,
  exclude,
  id,
  idList,
  optional,
  optionalId,
  searchRange,
  tweetExtras,
  tweetList,
} from "../contracts/validators.ts";
import { Reconciler } from "../graph/reconciler.ts";
import { Search } from "./search/search.ts";
import { feedSince } from "./stream/feed.ts";
import { ownerOf } from "./stream/owner.ts";
import { StreamRules } from "./stream/rules.ts";
import { purgeIdempotencyKeys } from "./tweet.repo.ts";
import { TweetLists } from "./tweet-lists.ts";
import { Tweets } from "./tweets.ts";

const NEW_RULE = {
  type: "object",
  props: {
    value: { type: "string" },
    tag: { type: "string", max: limits.streams.tagLength, optional: true },
  },
} as const;

const resolver = (ctx: Pick<Ctx, "call">) => (usernames: string[]) => ctx.call("user.resolve", { usernames });

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
  const tweets = new Tweets({ db, redis }, { reconciler, nudge: (shard) => nudges.add(shard) });
  const lists = new TweetLists({ db, redis });
  const search = new Search({ db, redis });
  const rules = new StreamRules(db, ({ key }) => {
    broker.broadcast("stream.rules", { owner: key }).catch(() => {}); // who does not hear of it reads them anew a while later
  });
  const housekeeping = new Periodic(60_000, async () => {
    await Promise.all(db.shards.map((shard) => purgeIdempotencyKeys(db, shard)));
  });

  return {
    name: "tweet",
    actions: actionsOf("tweet", {
      create: {
        params: {
          text: { type: "string", max: limits.tweetChars },
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
        params: { ids: idList(limits.lookup), unblocked: optional("boolean"), ...tweetExtras },
        handler: (ctx) => tweets.get(ctx.params, ctx.meta.viewer?.userId),
      },
      search: {
        readOnly: true,
        auth: "reader",
        params: { query: { type: "string" }, ...searchRange, ...tweetList },
        handler: (ctx) => search.recent(ctx.meta, resolver(ctx), ctx.params),
      },
      counts: {
        readOnly: true,
        auth: "reader",
        params: {
          query: { type: "string" },
          granularity: { type: "enum", values: [...GRANULARITIES] },
          ...searchRange,
        },
        handler: (ctx) => search.counts(ctx.meta, resolver(ctx), ctx.params),
      },
      since: {
        readOnly: true,
        auth: "none",
        params: {
          positions: { type: "record", key: { type: "string" }, value: id },
          overlap_ms: { type: "number", integer: true, min: 0, max: 60_000 },
        },
        handler: (ctx) => feedSince(db, ctx.params),
      },
      rules: {
        readOnly: true,
        auth: "reader",
        params: {
          ids: { ...idList(limits.streams.rulesEach), optional: true },
          limit: { type: "number", integer: true, min: 1, max: limits.streams.rulesEach },
          cursor,
        },
        handler: (ctx) => rules.list(ownerOf(ctx), ctx.params),
      },
      addRules: {
        auth: "reader",
        params: {
          rules: { type: "array", min: 1, max: limits.streams.rulesAtOnce, items: NEW_RULE },
          dry_run: optional("boolean"),
        },
        handler: (ctx) => rules.add(ownerOf(ctx), ctx.params),
      },
      deleteRules: {
        auth: "reader",
        params: {
          ids: { ...idList(limits.streams.rulesEach), optional: true },
          values: { type: "array", min: 1, max: limits.streams.rulesEach, items: "string", optional: true },
          all: optional("boolean"),
          dry_run: optional("boolean"),
        },
        handler: (ctx) => rules.delete(ownerOf(ctx), ctx.params),
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
