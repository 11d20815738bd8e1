import type { BucketRange } from "../../config/topology.ts";
import { migrate } from "../../mixins/shard-db/migrate.ts";
import { moveBuckets } from "../../services/operator/shards/move.ts";
import { type OnMove, WAITS } from "../../services/operator/shards/moving.ts";
import { ShardServers } from "../../services/operator/shards/servers.ts";
import { FORGOTTEN, PLACED, UNPLACED, unknownTables } from "../../services/operator/shards/tables.ts";
import { BucketWriters } from "../support/bucket-writers.ts";
import { MovedShards, within } from "../support/moves.ts";
import { createShards, type TestShards } from "../support/servers.ts";

const RANGE: BucketRange = [0, 40];

describe("moving buckets", () => {
  let shards: TestShards;
  let moved: MovedShards;
  beforeAll(async () => {
    shards = await createShards(2);
    await migrate(shards.topology);
    moved = await MovedShards.of(shards);
  });
  afterAll(async () => {
    await moved.close();
    await shards.drop();
  });

  const move = async (range: BucketRange, to: string, onMove: OnMove = () => {}, announced = 0) => {
    const servers = await ShardServers.find(shards.topology);
    try {
      await servers.exclude();
      return await moveBuckets(servers, { range, to, onMove, waits: { ...WAITS, announced, readers: 0 } });
    } finally {
      await servers.close();
    }
  };
  const textsOn = async (shard: string) =>
    (await moved.rows<{ text: string }>(shard, "SELECT text FROM tweets WHERE bucket_of(id) = 7")).map(
      ({ text }) => text,
    );
  const write = (shard: string, text: string) =>
    moved.rows(shard, "INSERT INTO tweets (id, author_id, text) VALUES (next_id(7), next_id(7), $1)", [text]);

  it("knows of every table whether its rows move", async () => {
    const names = (
      await moved.rows<{ name: string }>(
        "s0",
        "SELECT tablename::text AS name FROM pg_tables WHERE schemaname = 'public'",
      )
    ).map(({ name }) => name);
    expect(unknownTables(names)).toEqual([]);
    expect(unknownTables([...names, "polls"])).toEqual(["polls"]);
    const known = [...PLACED, ...FORGOTTEN].map(({ name }) => name);
    expect([...known, ...UNPLACED].sort()).toEqual(names.sort());
  });

  it("takes along what is written meanwhile, each row once, and leaves nothing behind", async () => {
    const writers = BucketWriters.start(shards.topology);
    for (const to of ["s1", "s0", "s1"]) expect(await move(RANGE, to)).not.toEqual([]);
    await writers.stop();
    expect((await moved.tweets()).sort()).toEqual([...writers.written.kept].sort());
    expect([...writers.written.kept].some((id) => within(RANGE, id))).toBe(true);
    expect(await moved.ownerOf(0)).toBe("s1");
    await moved.expectNothingLeft();
  });

  it("does nothing where the buckets are there already, and refuses what makes no sense", async () => {
    expect(await move(RANGE, "s1")).toEqual([]);
    await expect(move([500, 600], "s1")).rejects.toThrow("buckets 500-600 are on s0 and s1: move them apart");
    await expect(move(RANGE, "s9")).rejects.toThrow("the map has no shard s9; it has s0, s1");
  });

  it("makes the documents that search finds tweets by on the shard they move to", async () => {
    await write("s1", "Grüße from elsewhere");
    await move([7, 7], "s0");
    const found = await moved.rows("s0", "SELECT FROM tweets WHERE search @@ 'elsewhere'::tsquery");
    expect(found).toHaveLength(1);
    await move([7, 7], "s1");
  });

  it("lets nobody else move buckets or change the map meanwhile", async () => {
    const servers = await ShardServers.find(shards.topology);
    await servers.exclude();
    await expect(move([7, 7], "s0")).rejects.toThrow("another process is moving buckets or changing the map");
    await servers.close();
  });

  it("gives writers who are in the buckets the time they need, and takes it in between", async () => {
    await moved.rows("s1", "BEGIN");
    await moved.rows("s1", "SELECT enter_write('{7}', (SELECT epoch FROM placement))");
    let refused = 0;
    const moving = move([7, 7], "s0", ({ pauseMs }) => {
      if (pauseMs === undefined || ++refused > 2) return;
      if (refused === 2) void moved.rows("s1", "COMMIT");
    });
    const pauses = await moving;
    expect(pauses.length).toBeGreaterThan(2);
    expect(await moved.ownerOf(7)).toBe("s0");
    await moved.expectNothingLeft();
  });

  it("gives nothing away before the target has all that was written", async () => {
    let held = false;
    const pauses = await move([7, 7], "s1", ({ lagMs, pauseMs }) => {
      if (lagMs !== undefined && !held) {
        held = true;
        // What replicates cannot apply the marker, nor what comes after it.
        void moved.rows("s1", "BEGIN; LOCK TABLE move_markers IN SHARE MODE");
      }
      if (pauseMs !== undefined) void moved.rows("s1", "COMMIT");
    });
    expect(pauses.length).toBeGreaterThan(1);
    await move([7, 7], "s0");
    await moved.expectNothingLeft();
  });

  it("refuses a target whose clock is behind", async () => {
    const database = new URL(
      shards.topology.shards.find(({ name }) => name === "s1")?.primary ?? "",
    ).pathname.slice(1);
    // What is looked for there first is not what Postgres itself has.
    await moved.rows(
      "s1",
      `CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS
         $$ SELECT pg_catalog.clock_timestamp() - interval '400 ms' $$;
       ALTER DATABASE ${database} SET search_path = public, pg_catalog`,
    );
    try {
      await expect(move([7, 7], "s1")).rejects.toThrow(/the clock of s1 is \d+ ms behind that of s0/);
    } finally {
      await moved.rows(
        "s1",
        `DROP FUNCTION public.clock_timestamp(); ALTER DATABASE ${database} RESET search_path`,
      );
    }
    await moved.expectNothingLeft();
  });

  /** Has s1 do something before each row that comes into a table, also where that is replicated. */
  const whileTampering = async (table: string, what: string, work: () => Promise<void>) => {
    await moved.rows(
      "s1",
      `CREATE FUNCTION tamper() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${what}; RETURN NEW; END $$;
       CREATE TRIGGER tamper BEFORE INSERT ON ${table} FOR EACH ROW EXECUTE FUNCTION tamper();
       ALTER TABLE ${table} ENABLE ALWAYS TRIGGER tamper`,
    );
    try {
      await work();
    } finally {
      await moved.rows("s1", "DROP FUNCTION tamper CASCADE");
    }
  };

  it("is taken back where the rows differ before the decision", async () => {
    await write("s0", "the same on both sides");
    await whileTampering("tweets", "NEW.text := 'another'", async () => {
      await expect(move([7, 7], "s1")).rejects.toThrow("tweets: source and target differ in 1 buckets: 7");
    });
    expect(await moved.ownerOf(7)).toBe("s0");
    expect(await textsOn("s0")).toContain("the same on both sides");
    await moved.expectNothingLeft();
  });

  it("deletes nothing where the rows are found to differ after it, until somebody has looked", async () => {
    // Under the fence, when all has been compared once.
    await whileTampering("move_arrivals", "UPDATE tweets SET text = 'another'", async () => {
      await expect(move([7, 7], "s1")).rejects.toThrow("tweets: source and target differ in 1 buckets: 7");
    });
    expect(await moved.ownerOf(7)).toBe("s1");
    expect(await textsOn("s0")).toContain("the same on both sides");
    await expect(moved.abort()).rejects.toThrow("Nothing was deleted");
    expect(await moved.abort({ accept: true })).toEqual(["moved"]);
    await moved.expectNothingLeft();
  });

  it("deletes nothing where the target lost what had arrived, in a failover, until somebody has looked", async () => {
    const [from, to] = [await moved.ownerOf(7), (await moved.ownerOf(7)) === "s0" ? "s1" : "s0"];
    await write(from, "still there");
    expect(await moved.killedMover([7, 7], to, "decided")).toBeUndefined();
    const [subscription] = await moved.rows<{ name: string }>(
      to,
      `SELECT subname::text AS name FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid
       WHERE datname = current_database()`,
    );
    await moved.rows(to, `ALTER SUBSCRIPTION ${subscription?.name} DISABLE`);
    for (const table of ["move_arrivals", "move_markers"]) await moved.rows(to, `DELETE FROM ${table}`);
    await expect(moved.abort()).rejects.toThrow("not all rows have arrived");
    expect(await textsOn(from)).toContain("still there");
    expect(await moved.abort({ accept: true })).toEqual(["moved"]);
    await moved.expectNothingLeft();
  });
});
