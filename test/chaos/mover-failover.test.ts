import { type BucketRange, readTopologyFile } from "../../config/topology.ts";
import { migrate } from "../../mixins/shard-db/migrate.ts";
import { addShard } from "../../services/operator/shards/change-map.ts";
import { describeRanges } from "../../services/operator/shards/map.ts";
import { moveBuckets } from "../../services/operator/shards/move.ts";
import { type MoveStep, WAITS } from "../../services/operator/shards/moving.ts";
import { ShardServers } from "../../services/operator/shards/servers.ts";
import { settleAll } from "../../services/operator/shards/settle.ts";
import { readStatus } from "../../services/operator/shards/status.ts";
import { type OwnStack, ownStack } from "../support/servers.ts";

const RANGE: BucketRange = [0, 40];
const TWEETS = 1_000;
const FAILOVER_MS = 6_000;

describe("a shard that fails over while buckets move", () => {
  let stack: OwnStack;
  beforeAll(async () => {
    stack = await ownStack({ topology: "single", replicas: 1, redis: false, nats: false, keepAlive: true });
    await migrate(topology());
    const [primary = "", ...replicas] = await stack.addShard("s1", { replicas: 1 });
    await addShard(topology(), { shard: "s1", primary, replicas }, () => {});
    await onPrimary(
      "s0",
      `INSERT INTO tweets (id, author_id, text)
      SELECT next_id(i % 80), next_id(i % 80), 'tweet ' || i FROM generate_series(1, ${TWEETS}) i`,
    );
  });
  afterAll(() => stack.destroy());

  const topology = () => readTopologyFile(stack.topologyFile);
  const withServers = async <T>(work: (servers: ShardServers) => Promise<T>): Promise<T> => {
    const servers = await ShardServers.find(topology());
    try {
      return await work(servers);
    } finally {
      await servers.close();
    }
  };
  const onPrimary = <Row extends object>(shard: string, text: string) =>
    withServers(async (servers) => (await servers.primary(shard).client.query<Row>(text)).rows);
  /** Moves the range; when a step begins, a shard fails over, and the move waits for that. */
  const moveWhile = (to: string, at?: MoveStep, failing?: string) =>
    withServers(async (servers) => {
      await servers.exclude();
      let failover: Promise<void> | undefined;
      const onMove = ({ step }: { step: MoveStep }) => {
        if (step === at && failing) failover ??= stack.failover(failing);
      };
      // Time for the failover to begin: before the fence, or before what was given away is deleted.
      const waits = {
        ...WAITS,
        announced: at === "compare" ? FAILOVER_MS : 0,
        readers: at === "unpublish" ? FAILOVER_MS : 0,
      };
      try {
        return await moveBuckets(servers, { range: RANGE, to, onMove, waits });
      } finally {
        await failover;
      }
    });
  const abort = () =>
    withServers(async (servers) => {
      await servers.exclude();
      return (await settleAll(servers, () => {})).map(({ outcome }) => outcome);
    });
  /** Every tweet is on one shard, that which has its bucket. */
  const expectAllIn = async (owner: string) => {
    const { shards } = await readStatus(topology());
    expect(shards.find(({ shard }) => shard === owner)?.buckets).toContain(
      describeRanges([RANGE]).split("-")[0],
    );
    const placed = await Promise.all(
      ["s0", "s1"].map((shard) =>
        onPrimary<{ n: number; astray: number }>(
          shard,
          "SELECT count(*)::int AS n, (count(*) FILTER (WHERE NOT owns(bucket_of(id))))::int AS astray FROM tweets",
        ),
      ),
    );
    const rows = placed.flat();
    expect(rows.reduce((sum, { n }) => sum + n, 0)).toBe(TWEETS);
    expect(rows.map(({ astray }) => astray)).toEqual([0, 0]);
    for (const shard of ["s0", "s1"]) {
      const left = await onPrimary(
        shard,
        `SELECT slot_name AS name FROM pg_replication_slots WHERE slot_type = 'logical'
         UNION ALL SELECT subname FROM pg_subscription UNION ALL SELECT pubname FROM pg_publication`,
      );
      expect(left).toEqual([]);
    }
  };

  it.each(["s0", "s1"])(
    "fails where %s does before the decision, is taken back, and works when it is run again",
    async (failing) => {
      await expect(moveWhile("s1", "compare", failing)).rejects.toThrow(/failed over|shards -- abort/);
      expect((await abort()).filter((outcome) => outcome !== "taken back")).toEqual([]);
      await expectAllIn("s0");
      await moveWhile("s1");
      await expectAllIn("s1");
      await moveWhile("s0");
      await expectAllIn("s0");
    },
  );

  it.each(["s0", "s1"])("is finished by the next run where %s fails over after it", async (failing) => {
    await expect(moveWhile("s1", "unpublish", failing)).rejects.toThrow("shards -- abort");
    expect(await abort()).toEqual(["moved"]);
    await expectAllIn("s1");
    await moveWhile("s0");
    await expectAllIn("s0");
  });
});
