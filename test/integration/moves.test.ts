import pg from "pg";
import type { BucketRange } from "../../config/topology.ts";
import { migrate } from "../../mixins/shard-db/migrate.ts";
import { moveBuckets } from "../../services/operator/shards/move.ts";
import type { MoveEvent } from "../../services/operator/shards/moving.ts";
import { tableNames } from "../../services/operator/shards/rows.repo.ts";
import { ShardServers } from "../../services/operator/shards/servers.ts";
import { FORGOTTEN, PLACED, UNPLACED, unknownTables } from "../../services/operator/shards/tables.ts";
import { BucketWriters } from "../support/bucket-writers.ts";
import { createShards, type TestShards } from "../support/servers.ts";

describe("moving buckets", () => {
  let shards: TestShards;
  let clients: pg.Client[];
  beforeAll(async () => {
    shards = await createShards(2);
    await migrate(shards.topology);
    clients = shards.topology.shards.map(({ primary }) => new pg.Client(primary));
    await Promise.all(clients.map((client) => client.connect()));
  });
  afterAll(async () => {
    await Promise.all(clients.map((client) => client.end()));
    await shards.drop();
  });

  const move = async (range: BucketRange, to: string) => {
    const events: MoveEvent[] = [];
    const servers = await ShardServers.find(shards.topology);
    try {
      await servers.exclude();
      const pauses = await moveBuckets(servers, {
        range,
        to,
        onMove: (event) => events.push(event),
        waits: { announced: 0, readers: 0 },
      });
      return { pauses, events };
    } finally {
      await servers.close();
    }
  };
  const rowsOf = async <Row extends object>(shard: number, text: string): Promise<Row[]> =>
    (await clients[shard]?.query<Row>(text))?.rows ?? [];
  const tweetsOn = async (shard: number) =>
    (await rowsOf<{ id: string }>(shard, "SELECT id FROM tweets")).map(({ id }) => id);

  it("knows of every table whether its rows move", async () => {
    const names = await tableNames(clients[0] ?? new pg.Client());
    expect(unknownTables(names)).toEqual([]);
    const known = [...PLACED, ...FORGOTTEN].map(({ name }) => name);
    expect([...known, ...UNPLACED].sort()).toEqual(names.sort());
  });

  it("takes what is written meanwhile along, exactly once, and leaves nothing behind", async () => {
    const writers = BucketWriters.start(shards.topology);
    try {
      for (const to of ["s1", "s0"]) {
        const { pauses } = await move([0, 40], to);
        console.log(to, pauses);
      }
      await move([0, 40], "s1");
    } finally {
      await writers.stop();
    }
    const [on0, on1] = [await tweetsOn(0), await tweetsOn(1)];
    expect([...on0, ...on1].sort()).toEqual([...writers.written.kept].sort());
    const inRange = (id: string) => (BigInt(id) >> 12n) % 1024n <= 40n;
    expect(on0.filter(inRange)).toEqual([]);
    expect(on1.filter((id) => !inRange(id))).toEqual([]);
    console.log(writers.written.kept.size, Math.max(...writers.took));
    for (const shard of [0, 1]) {
      expect(
        await rowsOf(
          shard,
          "SELECT FROM pg_subscription WHERE subname LIKE 'roost_move%' AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())",
        ),
      ).toEqual([]);
      expect(
        await rowsOf(shard, "SELECT FROM pg_replication_slots WHERE database = current_database()"),
      ).toEqual([]);
      expect(await rowsOf(shard, "SELECT FROM pg_publication")).toEqual([]);
      expect(await rowsOf(shard, "SELECT FROM placement WHERE leaving <> '{}'")).toEqual([]);
    }
  });
});
