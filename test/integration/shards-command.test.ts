import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import pg from "pg";
import { migrate } from "../../mixins/shard-db/migrate.ts";
import type { Status } from "../../services/operator/shards/status.ts";
import { MovedShards } from "../support/moves.ts";
import { createShards, serverUrl, type TestShards } from "../support/servers.ts";

const ROOT = new URL("../../", `file://${__filename}`).pathname;

describe("npm run shards", () => {
  const other = `roost_test_${randomBytes(6).toString("hex")}`;
  const otherUrl = new URL(serverUrl("PG"));
  otherUrl.pathname = other;
  let shards: TestShards;
  let moved: MovedShards;
  beforeAll(async () => {
    shards = await createShards(1);
    await migrate(shards.topology);
    moved = await MovedShards.of(shards);
    await moved.rows("s0", `CREATE DATABASE ${other}`);
  });
  afterAll(async () => {
    await moved.rows("s0", `DROP DATABASE IF EXISTS ${other} WITH (FORCE)`);
    await moved.close();
    await shards.drop();
  });

  const command = (...args: string[]) =>
    new Promise<{ code: number; out: string; err: string }>((resolve) => {
      const env = { ...process.env, TOPOLOGY_FILE: shards.topologyFile, NODE_OPTIONS: "" };
      const line = ["services/operator/cli.ts", "shards", ...args];
      execFile("node", line, { cwd: ROOT, env }, (error, out, err) =>
        resolve({ code: Number(error?.code ?? 0), out, err }),
      );
    });
  const status = async (): Promise<Status> => JSON.parse((await command("status", "--json")).out);
  const onOther = async (text: string) => {
    const client = new pg.Client(otherUrl.href);
    await client.connect();
    await client.query(text).finally(() => client.end());
  };

  it("refuses a database that holds something else, and changes nothing then", async () => {
    await onOther("CREATE TABLE theirs (id int)");
    const refused = await command("add", "s1", "--primary", otherUrl.href);
    expect(refused).toMatchObject({ code: 1, err: expect.stringContaining("has tables of something else") });
    await onOther("DROP TABLE theirs");
    const { epoch, shards: named } = await status();
    expect([epoch, named.map(({ shard }) => shard)]).toEqual([1, ["s0"]]);
  });

  it("goes from one shard to two and back", async () => {
    // Twice: as if the first time had been killed before it was told.
    for (let times = 0; times < 2; times++) {
      expect(await command("add", "s1", "--primary", otherUrl.href)).toMatchObject({ code: 0 });
    }
    expect((await command("rebalance", "--plan")).out).toBe("512-1023: s0 → s1\n");
    expect(await command("rebalance")).toMatchObject({
      code: 0,
      out: expect.stringContaining("are on s1; writers waited"),
    });
    const grown = await status();
    expect(grown.shards.map(({ buckets, servers }) => [buckets, servers.map(({ role }) => role)])).toEqual([
      ["0-511", ["primary"]],
      ["512-1023", ["primary"]],
    ]);
    expect(grown.shards[0]?.moves).toMatchObject([{ buckets: "512-1023", to: "s1", outcome: "moved" }]);
    expect(await command("remove", "s1")).toMatchObject({
      code: 1,
      err: expect.stringContaining("shard s1 has buckets 512-1023: move them away first"),
    });
    expect(await command("rebalance", "--onto", "s0")).toMatchObject({ code: 0 });
    expect(await command("remove", "s1")).toMatchObject({ code: 0 });
    expect((await status()).shards.map(({ shard, buckets }) => [shard, buckets])).toEqual([["s0", "0-1023"]]);
    expect((await command("abort")).out).toBe("nothing was left to put in order\n");
  });

  it("names what is wrong with its arguments", async () => {
    expect(await command("move", "--buckets", "9-3", "--to", "s1")).toMatchObject({
      code: 2,
      err: expect.stringContaining("--buckets: expected A-B within 0-1023"),
    });
  });
});
