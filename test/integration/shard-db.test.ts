import { Client } from "pg";
import { bucketOf, idTimeMs, isId } from "../../mixins/shard-db/ids.ts";
import { ShardDb, sql } from "../../mixins/shard-db/index.ts";
import { migrate } from "../../mixins/shard-db/migrate.ts";
import { MovedShards } from "../support/moves.ts";
import { createShards, type TestShards } from "../support/servers.ts";

describe("the sharded database", () => {
  let shards: TestShards;
  let db: ShardDb;
  beforeAll(async () => {
    shards = await createShards(2);
    await migrate(shards.topology);
    db = new ShardDb(shards.topology, { poolSize: 4, application: "test" });
    await db.open();
  });
  afterAll(async () => {
    await db.close();
    await shards.drop();
  });

  const count = async (bucket: number) => {
    const [row] = await db.read({ bucket }, sql<{ n: number }>`SELECT count(*)::int AS n FROM outbox`);
    return row?.n;
  };
  const onPrimary = async (shard: string, text: string, values: unknown[]) => {
    const { primary } = shards.topology.shards.find(({ name }) => name === shard) ?? { primary: "" };
    const client = new Client({ connectionString: primary });
    await client.connect();
    await client.query(text, values).finally(() => client.end());
  };
  const enqueue = (bucket: number) => sql<{ id: string }>`SELECT enqueue(${bucket}, 'test', '{}') AS id`;

  it("makes ids that carry their bucket and time, 19 digits long, none twice", async () => {
    const before = Date.now() - 60_000;
    for (const bucket of [0, 511, 512, 1023]) {
      const rows = await db.read(
        { bucket },
        sql<{ id: string }>`SELECT next_id(${bucket}) AS id FROM generate_series(1, 2000)`,
      );
      const ids = rows.map(({ id }) => id);
      expect(new Set(ids).size).toBe(2000);
      for (const id of ids) {
        expect(isId(id) && id.length === 19).toBe(true);
        expect(bucketOf(id)).toBe(bucket);
        expect(idTimeMs(id)).toBeGreaterThan(before);
      }
    }
  });

  it("writes to the shard of the key", async () => {
    const [row] = await db.write({ bucket: 700 }, enqueue(700));
    expect(await count(700)).toBe(1);
    expect(await count(1)).toBe(0);
    await db.write({ id: row?.id ?? "" }, sql`DELETE FROM outbox WHERE id = ${row?.id}`);
    expect(await count(700)).toBe(0);
  });

  it("leaves nothing behind where a transaction fails", async () => {
    await expect(
      db.transaction({ bucket: 3 }, async (tx) => {
        await tx.query(enqueue(3));
        throw new Error("changed my mind");
      }),
    ).rejects.toThrow("changed my mind");
    await expect(db.write({ bucket: 3 }, sql`SELECT 1/0`)).rejects.toThrow("division by zero");
    expect(await count(3)).toBe(0);
  });

  it("does not take a swallowed failure for a commit", async () => {
    const swallowed = db.transaction({ bucket: 3 }, async (tx) => {
      await tx.query(enqueue(3));
      await tx.query(sql`SELECT 1/0`).catch(() => {});
    });
    await expect(swallowed).rejects.toThrow("ended in a ROLLBACK");
  });

  it("groups ids anew where some of them have moved since", async () => {
    const [first, second] = await Promise.all([3, 4].map((bucket) => db.write({ bucket }, enqueue(bucket))));
    const ids = [first, second].map((rows) => rows?.[0]?.id ?? "");
    const own = await MovedShards.of(shards);
    const give = async (map: object[]) => {
      const epoch = db.router.epoch + 1;
      for (const shard of ["s0", "s1"]) {
        await own.rows(shard, "SELECT adopt_map($1, $2)", [epoch, JSON.stringify(map)]);
      }
    };
    const mapOf = (...buckets: number[][][]) =>
      buckets.map((ranges, i) => ({ shard: `s${i}`, buckets: ranges }));
    try {
      await give(
        mapOf(
          [
            [0, 3],
            [5, 511],
          ],
          [
            [4, 4],
            [512, 1023],
          ],
        ),
      );
      const parts = await db.transactionsByIds(ids, async ({ shard }, group) => [shard, group]);
      expect(parts).toEqual([
        ["s0", [ids[0]]],
        ["s1", [ids[1]]],
      ]);
      // What is on the same shard is entered as well; what is not there is not.
      const seen = (besides: number) =>
        db.transaction({ bucket: 3 }, async (tx) => tx.has(ids[besides] ?? ""), {
          besides: [{ id: ids[besides] ?? "" }],
        });
      expect([await seen(0), await seen(1)]).toEqual([true, false]);
    } finally {
      await give(mapOf([[0, 511]], [[512, 1023]]));
      await own.rows("s0", "DELETE FROM outbox");
      await own.close();
    }
  });

  it("refuses a transaction over two shards", async () => {
    await expect(db.transaction([{ bucket: 0 }, { bucket: 1023 }], async () => {})).rejects.toThrow(
      "stays on one shard",
    );
  });

  it("merges rows of all shards by id", async () => {
    const ids: string[] = [];
    for (const bucket of [5, 900, 6, 901])
      ids.push((await db.write({ bucket }, enqueue(bucket)))[0]?.id ?? "");
    const rows = await db.mergeByIds(
      ids,
      3,
      (part) => sql<{ id: string }>`SELECT id FROM outbox WHERE id = ANY(${part})`,
    );
    expect(rows.map(({ id }) => id)).toEqual(ids.toSorted().reverse().slice(0, 3));
    for (const id of ids) await db.write({ id }, sql`DELETE FROM outbox WHERE id = ${id}`);
  });

  describe("the fence", () => {
    /** Gives buckets 100–199 from s0 to s1, as a mover does. */
    const move = async (there: boolean) => {
      const [s0, s1] = there
        ? ["{[0,99],[200,511]}", "{[100,199],[512,1023]}"]
        : ["{[0,511]}", "{[512,1023]}"];
      const map = JSON.stringify(
        there
          ? [
              {
                shard: "s0",
                buckets: [
                  [0, 99],
                  [200, 511],
                ],
              },
              {
                shard: "s1",
                buckets: [
                  [100, 199],
                  [512, 1023],
                ],
              },
            ]
          : [
              { shard: "s0", buckets: [[0, 511]] },
              { shard: "s1", buckets: [[512, 1023]] },
            ],
      );
      for (const [shard, owned] of [
        ["s0", s0],
        ["s1", s1],
      ] as const) {
        await onPrimary(shard, "UPDATE placement SET epoch = epoch + 1, map = $1, owned = $2", [map, owned]);
      }
    };
    afterEach(async () => {
      await move(false);
      await db.refreshMap();
    });

    it("turns away a write that was routed by a stale map, and the write finds its new shard", async () => {
      expect(db.shardOf({ bucket: 150 })).toBe("s0");
      await move(true);
      const [row] = await db.write({ bucket: 150 }, enqueue(150));
      expect(db.shardOf({ bucket: 150 })).toBe("s1");
      const found = await db.readShard("s1", sql`DELETE FROM outbox WHERE id = ${row?.id} RETURNING id`);
      expect(found).toHaveLength(1);
    });

    it("lets no write pass while a mover holds the bucket, and refuses it if the bucket has gone", async () => {
      const [held, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const mover = db.transaction({ bucket: 0 }, async (tx) => {
        await tx.query(sql`SELECT pg_advisory_xact_lock(1, 150)`);
        held.resolve();
        await released.promise;
      });
      await held.promise;
      let written = false;
      const write = db.write({ bucket: 150 }, enqueue(150)).finally(() => {
        written = true;
      });
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(written).toBe(false);
      await move(true);
      released.resolve();
      await mover;
      await write;
      expect(await db.readShard("s0", sql`SELECT id FROM outbox WHERE kind = 'test'`)).toEqual([]);
      expect(await db.readShard("s1", sql`DELETE FROM outbox WHERE kind = 'test' RETURNING id`)).toHaveLength(
        1,
      );
    });

    it("answers 503 where a shard has not what every map says that it has", async () => {
      await onPrimary("s0", "UPDATE placement SET owned = '{}'", []);
      await expect(db.write({ bucket: 150 }, enqueue(150))).rejects.toMatchObject({
        type: "UNAVAILABLE",
        code: 503,
      });
    });
  });

  it("answers 503 for a shard that cannot be reached, while the others answer", async () => {
    const [s0, s1] = shards.topology.shards;
    if (!s0 || !s1) throw new Error("two shards");
    const broken = new ShardDb(
      { shards: [s0, { ...s1, primary: "postgres://u:p@127.0.0.1:1/none" }] },
      { poolSize: 2, application: "test" },
    );
    await broken.open();
    await expect(broken.read({ bucket: 0 }, sql`SELECT 1`)).resolves.toHaveLength(1);
    await expect(broken.read({ bucket: 1023 }, sql`SELECT 1`)).rejects.toMatchObject({
      type: "UNAVAILABLE",
      code: 503,
    });
    await expect(broken.write({ bucket: 1023 }, sql`SELECT 1`)).rejects.toMatchObject({
      type: "UNAVAILABLE",
      code: 503,
    });
    await broken.close();
  });

  it("does not lock up where transactions read from each other's shard", async () => {
    const crossing = Array.from({ length: 40 }, (_, i) => {
      const [here, there] = i % 2 ? [0, 1023] : [1023, 0];
      return db.transaction({ bucket: here }, async (tx) => {
        await tx.query(sql`SELECT 1`);
        return db.read({ bucket: there }, sql<{ n: number }>`SELECT 1 AS n`);
      });
    });
    expect(await Promise.all(crossing)).toHaveLength(40);
  });
});

describe("counters", () => {
  it("are the sum of all deltas, folded or not, whoever folds them", async () => {
    const { CounterFold } = await import("../../mixins/counters.ts");
    const shards = await createShards(1);
    await migrate(shards.topology);
    const db = new ShardDb(shards.topology, { poolSize: 5, application: "test" });
    await db.open();
    const subject = String((1n << 60n) | (9n << 12n));
    const value = async () => {
      const [row] = await db.read(
        { id: subject },
        sql<{ n: string }>`SELECT counter_value(${subject}, 'likes') AS n`,
      );
      return Number(row?.n);
    };
    const add = (delta: number) =>
      db.write({ id: subject }, sql`SELECT count_delta(${subject}, 'likes', ${delta})`);
    const folds = Array.from({ length: 3 }, () => new CounterFold(db));
    const seen: number[] = [];
    for (let round = 0; round < 5; round++) {
      await Promise.all([
        ...Array.from({ length: 20 }, () => add(1)),
        ...folds.map((fold) => fold.foldAll("s0")),
      ]);
      seen.push(await value());
    }
    await add(-30);
    expect(seen).toEqual([20, 40, 60, 80, 100]);
    await folds[0]?.foldAll("s0");
    expect(await value()).toBe(70);
    expect(await db.read({ id: subject }, sql`SELECT id FROM counter_deltas`)).toEqual([]);
    await db.close();
    await shards.drop();
  });
});
