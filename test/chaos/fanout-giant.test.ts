import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { Dataset } from "../../bench/dataset.ts";
import { deliveryLags, quantile, type Sender } from "../../bench/delivery.ts";
import { makeGiant, missingFrom } from "../../bench/giant.ts";
import { sql } from "../../mixins/shard-db/index.ts";
import { Cluster, type ServiceProcess } from "../support/cluster.ts";
import { connectionsOf } from "../support/connections.ts";
import { eventually, type Person, Roost } from "../support/roost.ts";
import { serverUrl } from "../support/servers.ts";

const FOLLOWERS = 250_000;
const PER_SECOND = 50;
const SAMPLES = 100;
const ROUNDS = 5;
/** Whatever else this machine does meanwhile. */
const WITHIN_MS = 240_000;

describe("the fan-out of a tweet to 250,000 active followers", () => {
  let roost: Roost;
  let cluster: Cluster;
  let timeline: ServiceProcess;
  let dataset: Dataset;
  let redis: Redis;
  let giant: Person;
  let lists: string[];
  beforeAll(async () => {
    roost = await Roost.start({
      shards: 1,
      services: ["user", "graph", "tweet"],
      env: { NATS_URL: serverUrl("NATS"), FANOUT_POLICY: "push" },
    });
    cluster = await Cluster.start(roost.env, []);
    timeline = await cluster.spawn("timeline");
    await roost.meets(timeline.nodeId);
    dataset = new Dataset(roost.shards.topologyFile);
    redis = new Redis(serverUrl("REDIS"));
    [giant] = (await roost.people(1)) as [Person];
    lists = await makeGiant(dataset, serverUrl("REDIS"), roost.store.keys, giant, FOLLOWERS);
  }, WITHIN_MS);
  afterAll(async () => {
    redis.disconnect();
    await dataset.close();
    await cluster.stop();
    await roost.stop();
  });

  const tweetAs = async (author: Person) => (await roost.call("tweet.create", { text: "hello" }, author)).id;
  const delivered = async (id: string) => {
    while (await dataset.isTweetPending(id)) await sleep(50);
  };
  const missing = (id: string) => missingFrom(serverUrl("REDIS"), lists, id);

  it(
    "delays no ordinary tweet more than threefold, and reaches everyone",
    async () => {
      const senders = await ordinarySenders();
      const lags = (going: (sent: number) => boolean) => deliveryLags(redis, senders, PER_SECOND, going);
      const some = (sent: number) => sent < SAMPLES;
      await lags(some);
      const ratios: number[] = [];
      // What else goes on on the machine only adds to a ratio: the best of some rounds counts.
      while (ratios.length < ROUNDS && !ratios.some((ratio) => ratio <= 3)) {
        const without = await lags(some);
        const id = await tweetAs(giant);
        let isUnderWay = true;
        const done = delivered(id).finally(() => {
          isUnderWay = false;
        });
        const during = await lags(() => isUnderWay);
        await done;
        expect(await missing(id)).toBe(0);
        ratios.push(quantile(during, 0.99) / quantile(without, 0.99));
      }
      expect(Math.min(...ratios)).toBeLessThanOrEqual(3);
    },
    WITHIN_MS,
  );

  it(
    "goes on from its cursor in another process when its own is killed",
    async () => {
      const id = await tweetAs(giant);
      await eventually(async () => ((await reached()) ?? 0) > 200, "a fan-out under way");
      await timeline.kill();
      // A commit that it had sent off may still come about.
      await eventually(
        async () => (await connectionsOf(timeline.nodeId)).size === 0,
        "the end of its connections",
      );
      const killedAt = await progress();
      expect(killedAt?.bucket).toBeLessThan(1023);

      const second = await cluster.spawn("timeline");
      await delivered(id);
      expect(await second.metric("roost_fanout_pushes_total")).toBe(Number(killedAt?.left));
      expect(await missing(id)).toBe(0);
    },
    WITHIN_MS,
  );

  const ordinarySenders = async (): Promise<Sender[]> => {
    const [reader, ...authors] = (await roost.people(11)) as [Person, ...Person[]];
    for (const author of authors) await roost.call("graph.follow", { target_user_id: author.id }, reader);
    await roost.broker.waitForServices("timeline");
    await roost.homeIds(reader);
    return authors.map((author) => ({
      tweet: () => tweetAs(author),
      list: roost.store.keys.home(reader.id),
    }));
  };

  /** The bucket that the fan-out has come to. */
  const reached = async () => {
    const [found] = await roost.resources.db.readAll(
      sql<{ bucket: number }>`SELECT (cursor->>'bucket')::int AS bucket FROM outbox WHERE cursor IS NOT NULL`,
    );
    return found?.bucket;
  };

  /** Where the fan-out has come to, and how many followers come after. */
  const progress = async () => {
    const [found] = await roost.resources.db.readAll(sql<{ bucket: number; left: string }>`
      SELECT (cursor->>'bucket')::int AS bucket,
        (SELECT count(*) FROM inverse_edges WHERE dst = ${giant.id} AND kind = 'follow'
         AND (src_bucket, src) > ((cursor->>'bucket')::smallint, (cursor->>'src')::bigint)) AS left
      FROM outbox WHERE cursor IS NOT NULL`);
    return found;
  };
});
