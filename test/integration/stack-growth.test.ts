import { execFile } from "node:child_process";
import { request } from "node:http";
import { join } from "node:path";
import { promisify } from "node:util";
import { Client } from "pg";
import { readTopologyFile } from "../../config/topology.ts";
import { migrate } from "../../mixins/shard-db/migrate.ts";
import { nameServers } from "../../stack/shard-map.ts";
import { loadState } from "../../stack/state.ts";
import { type OwnStack, ownStack } from "../support/servers.ts";

const MAIN = join(import.meta.dirname, "../../stack/control/main.ts");
const exec = promisify(execFile);
let stack: OwnStack;

beforeAll(async () => {
  stack = await ownStack({ topology: "single", redis: false });
  await migrate(topology());
});
afterAll(() => stack.destroy());

const topology = () => readTopologyFile(stack.topologyFile);

/** `npm run stack` in a process of its own. */
async function run(...args: string[]): Promise<string> {
  const { stdout } = await exec("node", [MAIN, ...args, "--data", stack.dataDir]);
  return stdout;
}

async function refused(...args: string[]): Promise<unknown> {
  return run(...args).then(
    () => undefined,
    ({ code, stderr }) => [code, stderr.split("\n")[0]],
  );
}

async function query(url: string | undefined, text: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

async function placement(shard: number) {
  const [row] = await query(
    topology().shards[shard]?.primary,
    "SELECT epoch::float8, map, owned::text FROM placement",
  );
  return row;
}

describe("npm run stack", () => {
  test("shows every server as it answers", async () => {
    const table = (await run("status")).trim().split("\n");
    expect(table[0]?.split(/ {2,}/)).toEqual([
      "SERVER",
      "SHARD",
      "ROLE",
      "TIMELINE",
      "POSITION",
      "BEHIND",
      "PORT",
      "PID",
    ]);
    expect(table.slice(1).map((line) => line.split(/ {2,}/).slice(0, 4))).toEqual([
      ["pg-s0-0", "s0", "primary", "1"],
      ["nats", "running", expect.any(String), expect.any(String)],
    ]);
  });

  test("a replica is copied from the running primary, with what is written meanwhile; nodes learn of it", async () => {
    const { primary } = topology().shards[0] ?? {};
    await query(
      primary,
      "CREATE TABLE kept AS SELECT n, repeat('x', 500) AS filler FROM generate_series(1, 20000) n",
    );
    let writes = 0;
    let done = false;
    const writer = (async () => {
      for (; !done; writes++) await query(primary, `INSERT INTO kept VALUES (${-writes}, '')`);
    })();
    const said = await run("add-replica", "s0");
    done = true;
    await writer;
    expect(said).toMatch(
      /copying pg-s0-0 to pg-s0-1\s.*the shard map names the servers of s0\s.*pg-s0-1 follows/s,
    );
    expect(writes).toBeGreaterThan(0);
    const [shard] = topology().shards;
    expect(shard?.replicas).toHaveLength(1);
    expect(await placement(0)).toMatchObject({
      map: [{ shard: "s0", buckets: [[0, 1023]], servers: [shard?.primary, shard?.replicas[0]] }],
    });
    const count = "SELECT count(*)::int AS n FROM kept";
    const position = await query(shard?.primary, "SELECT pg_current_wal_lsn()::text AS at");
    while (
      (await query(shard?.replicas[0], `SELECT WHERE pg_last_wal_replay_lsn() >= '${position[0]?.at}'`))
        .length < 1
    );
    expect(await query(shard?.replicas[0], count)).toEqual([{ n: 20_000 + writes }]);
    expect(stack.servers.map(({ name }) => name)).toEqual(["pg-s0-0", "pg-s0-1", "nats"]);
  });

  test("a failover says how long each step took, and leaves the map as it is: the servers are the same", async () => {
    const before = await placement(0);
    const said = (await run("failover", "s0")).trim().split("\n");
    expect(said.map((line) => line.replace(/\d+ ms|0\/\w+/g, "…"))).toEqual([
      "roost: fenced pg-s0-0 (…)",
      "roost: chose pg-s0-1, which has … (…)",
      "roost: promoted pg-s0-1 to timeline 2 (…)",
      "roost: pg-s0-0 is back as a replica (…)",
    ]);
    const { status } = JSON.parse(await run("status", "--json"));
    expect(status.slice(0, 2)).toMatchObject([
      { name: "pg-s0-0", role: "replica", timeline: 2 },
      { name: "pg-s0-1", role: "primary", timeline: 2, lagBytes: 0 },
    ]);
    expect(await placement(0)).toEqual(before);
  });

  test("a shard is added empty, with the schema and its servers' URLs, and is not in the map", async () => {
    const said = (await run("add-shard", "s1", "--replicas", "1")).trim().split("\n");
    const [, added] = topology().shards;
    expect(added).toMatchObject({ name: "s1", buckets: [] });
    expect(said.slice(-2)).toEqual([added?.primary, added?.replicas[0]]);
    expect(await placement(1)).toMatchObject({ epoch: 0, owned: "{}" });
    expect(await refused("add-shard", "s1")).toEqual([1, "there is a shard s1 already"]);
  });

  test("comes back as it was", async () => {
    const before = stack.servers.map(({ name, port }) => [name, port]);
    await stack.stop();
    stack = await ownStack({ dataDir: stack.dataDir, redis: false });
    expect(stack.servers.map(({ name, port }) => [name, port])).toEqual(before);
    expect(topology().shards.map(({ name, replicas }) => [name, replicas.length])).toEqual([
      ["s0", 1],
      ["s1", 1],
    ]);
  });

  test("where the map names servers, a new run has it name those that run now", async () => {
    const [shard] = topology().shards;
    const elsewhere = new Map([["s0", [shard?.primary ?? "", "postgres://nobody@127.0.0.1:1/roost"]]]);
    expect(await nameServers(topology(), elsewhere)).toEqual(["s0"]);
    await stack.publishServers();
    const named = await placement(0);
    expect(named).toMatchObject({ map: [{ servers: [shard?.primary, shard?.replicas[0]] }] });
    await stack.publishServers();
    expect(await placement(0)).toEqual(named);
  });

  test("a shard or a server that is needed is not removed; others are, with their data", async () => {
    expect(await refused("remove-shard", "s0")).toEqual([
      1,
      expect.stringMatching(/^the shard map names s0: /),
    ]);
    expect(await refused("remove-replica", "pg-s0-1")).toEqual([
      1,
      "pg-s0-1 is the primary of s0: fail over first",
    ]);
    await run("remove-shard", "s1");
    await run("remove-replica", "pg-s0-0");
    expect(topology().shards).toMatchObject([{ name: "s0", replicas: [] }]);
    expect(await placement(0)).toMatchObject({
      map: [{ servers: [topology().shards[0]?.primary] }],
    });
    expect(stack.servers.map(({ name }) => name)).toEqual(["pg-s0-1", "nats"]);
  });

  test("mistakes are told in one line", async () => {
    expect(await refused("failover")).toEqual([2, "failover: expected one shard"]);
    expect(await refused("promote", "s0")).toEqual([
      2,
      expect.stringMatching(/^expected one of status, failover/),
    ]);
    expect(await refused("failover", "s0")).toEqual([
      1,
      "shard s0: no replica answers, so none can be promoted",
    ]);
    const nowhere = await exec("node", [MAIN, "status", "--data", "/nowhere"]).catch(({ code, stderr }) => [
      code,
      stderr,
    ]);
    expect(nowhere).toEqual([
      1,
      "no stack runs on /nowhere: start one with npm start, or name another with --data\n",
    ]);
  });

  test("nobody without the secret is listened to", async () => {
    const port = loadState(stack.dataDir)?.ports.control;
    const status = await new Promise((resolve, reject) => {
      const headers = { authorization: "Bearer guessed" };
      const asked = request({ host: "127.0.0.1", port, method: "POST", headers }, ({ statusCode }) =>
        resolve(statusCode),
      );
      asked.once("error", reject).end('["status"]');
    });
    expect(status).toBe(401);
  });
});
