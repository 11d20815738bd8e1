import type { ServiceBroker, ServiceSchema } from "moleculer";
import { limits } from "../../config/limits.ts";
import { Batcher } from "../../mixins/batcher.ts";
import { Periodic } from "../../mixins/periodic.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import { actionsOf } from "../contracts/service.ts";
import { id, idList, optional } from "../contracts/validators.ts";
import { purgeIdempotencyKeys } from "./tweet.repo.ts";
import { Tweets } from "./tweets.ts";

/** Write, read and delete tweets. */
export default function tweetService(broker: ServiceBroker): ServiceSchema {
  const { db, redis } = resourcesOf(broker);
  const nudges = new Batcher<string>(
    2,
    async (shards) => {
      for (const shard of new Set(shards))
        await broker.broadcast("outbox.ready", { shard, kinds: ["tweet"] });
    },
    () => {}, // a lost nudge only costs the time until the next poll
  );
  const tweets = new Tweets(db, redis, (shard) => nudges.add(shard));
  const housekeeping = new Periodic(60_000, async () => {
    await Promise.all(db.shards.map((shard) => purgeIdempotencyKeys(db, shard)));
  });

  return {
    name: "tweet",
    actions: actionsOf("tweet", {
      create: {
        params: {
          text: { type: "string", max: 25_000 },
          idempotency_key: { type: "string", min: 1, max: 128, optional: true },
        },
        handler: (ctx) => tweets.create(ctx),
      },
      delete: { params: { id }, handler: (ctx) => tweets.delete(ctx) },
      get: {
        readOnly: true,
        params: {
          ids: idList(limits.lookup),
          with_authors: optional("boolean"),
          with_metrics: optional("boolean"),
        },
        handler: (ctx) => tweets.get(ctx.params),
      },
    }),
    started: () => housekeeping.start(),
    async stopped() {
      await housekeeping.stop();
      await nudges.close();
    },
  };
}
