import pg from "pg";
import { migrate, migrationStatus, migrations, requireCurrentSchema } from "../../mixins/shard-db/migrate.ts";
import { createShards, type TestShards } from "../support/servers.ts";

describe("migrations", () => {
  let shards: TestShards;
  beforeEach(async () => {
    shards = await createShards(2);
  });
  afterEach(() => shards.drop());

  const onFirst = async (text: string) => {
    const client = new pg.Client({ connectionString: shards.topology.shards[0]?.primary });
    await client.connect();
    return client.query(text).finally(() => client.end());
  };
  const newest = migrations().length;

  it("bring every shard to the newest schema, and do nothing the second time", async () => {
    const lines: string[] = [];
    await migrate(shards.topology, (line) => lines.push(line));
    expect(lines).toHaveLength(2 * newest);
    await migrate(shards.topology, (line) => lines.push(line));
    expect(lines).toHaveLength(2 * newest);
    for (const { pending, edited } of await migrationStatus(shards.topology))
      expect([pending, edited]).toEqual([[], []]);
    await expect(requireCurrentSchema(shards.topology)).resolves.toBeUndefined();
  });

  it("are safe to run from many processes at once", async () => {
    await Promise.all(Array.from({ length: 5 }, () => migrate(shards.topology)));
    const { rows } = await onFirst("SELECT count(*)::int AS n FROM schema_migrations");
    expect(rows).toEqual([{ n: newest }]);
  });

  it("resume where a run was cut off", async () => {
    // As if the run had died between the first migration and the next: the next leaves nothing behind.
    const [first] = migrations();
    await onFirst(`${first?.sql};
      CREATE TABLE schema_migrations (version int PRIMARY KEY, name text, checksum text, applied_at timestamptz DEFAULT now());
      INSERT INTO schema_migrations VALUES (1, '${first?.name}', '${first?.checksum}')`);
    await expect(requireCurrentSchema(shards.topology)).rejects.toThrow(
      /shard s0 lacks migrations 2.*npm run migrate/,
    );
    await migrate(shards.topology);
    await expect(requireCurrentSchema(shards.topology)).resolves.toBeUndefined();
  });

  it("are not asked of a shard that is away: a process starts without it, but not without any", async () => {
    await migrate(shards.topology);
    const [s0, s1] = shards.topology.shards.map((shard) => ({ ...shard, replicas: [] }));
    if (!s0 || !s1) throw new Error("two shards");
    const away = { ...s1, primary: "postgres://u:p@127.0.0.1:1/none" };
    await expect(requireCurrentSchema({ shards: [s0, away] })).resolves.toBeUndefined();
    await expect(requireCurrentSchema({ shards: [away] })).rejects.toThrow("shard s1");
  });

  it("refuse to go on where a past one was edited", async () => {
    await migrate(shards.topology);
    await onFirst("UPDATE schema_migrations SET checksum = 'other' WHERE version = 1");
    await expect(migrate(shards.topology)).rejects.toThrow("0001_foundation.sql was applied in another form");
    await expect(requireCurrentSchema(shards.topology)).rejects.toThrow("0001_foundation.sql");
  });

  it("seed the shard map once", async () => {
    await migrate(shards.topology);
    await onFirst("UPDATE placement SET epoch = 9");
    await migrate(shards.topology);
    expect((await onFirst("SELECT epoch::int, shard, owned::text FROM placement")).rows).toEqual([
      { epoch: 9, shard: "s0", owned: "{[0,512)}" },
    ]);
  });
});
