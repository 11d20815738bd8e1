import { existsSync } from "node:fs";
import { join } from "node:path";
import { Client } from "pg";
import { readTopologyFile } from "../../config/topology.ts";
import { ShardDb, sql } from "../../mixins/shard-db/index.ts";
import { migrate } from "../../mixins/shard-db/migrate.ts";
import type { ServerHandle } from "../../stack/index.ts";
import { eventually } from "../support/roost.ts";
import { type OwnStack, ownStack } from "../support/servers.ts";

let stack: OwnStack;
const said: string[] = [];
const onProgress = (line: string) => said.push(line);

beforeAll(async () => {
  stack = await ownStack({
    topology: "single",
    replicas: 2,
    sync: true,
    redis: false,
    nats: false,
    keepAlive: true,
  });
  await migrate(readTopologyFile(stack.topologyFile));
});
beforeEach(() => {
  said.length = 0;
});
afterAll(() => stack.destroy());

async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  client.on("error", () => {});
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

const shard = () => {
  const [found] = readTopologyFile(stack.topologyFile).shards;
  if (found === undefined) throw new Error("no shard");
  return found;
};
const handle = (name: string): ServerHandle => {
  const found = stack.servers.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
};
const portOf = (url: string) => Number(new URL(url).port);
const nameAt = (url: string) => stack.servers.find(({ port }) => port === portOf(url))?.name;
const count = async (url: string) => (await query(url, "SELECT count(*)::int AS n FROM kept"))[0]?.n;
const standing = async (url: string) =>
  (
    await query(
      url,
      "SELECT pg_is_in_recovery() AS replica, timeline_id AS timeline FROM pg_control_checkpoint()",
    )
  )[0];

/** On a busy machine as well. */
const ANSWERED_MS = 20_000;

/** What a commit is answered within some time; "waits": nothing. */
async function answerOf(written: Promise<unknown>, withinMs = 700): Promise<unknown> {
  const answer = written.then(
    () => "acknowledged",
    (error: Error) => error.message,
  );
  return Promise.race([answer, new Promise((resolve) => setTimeout(resolve, withinMs, "waits"))]);
}

describe("a synchronous shard of three servers", () => {
  test("acknowledges a commit only once a replica has it", async () => {
    await query(shard().primary, "CREATE TABLE kept (n serial PRIMARY KEY)");
    const replicas = [handle("pg-s0-1"), handle("pg-s0-2")];
    for (const replica of replicas) replica.kill("SIGSTOP");
    const written = query(shard().primary, "INSERT INTO kept DEFAULT VALUES");
    const first = await answerOf(written);
    for (const replica of replicas) replica.kill("SIGCONT");
    expect([first, await answerOf(written, ANSWERED_MS)]).toEqual(["waits", "acknowledged"]);
  });

  test("refuses a write that no replica has confirmed, and its repeat as well, which finds it done", async () => {
    const { topologyFile } = stack;
    const db = new ShardDb(readTopologyFile(topologyFile), {
      poolSize: 2,
      application: "test",
      patienceMs: 1_000,
    });
    await db.open();
    const replicas = [handle("pg-s0-1"), handle("pg-s0-2")];
    // Nothing that takes a number from a sequence, which is reason enough to wait.
    const edge = () =>
      db.write(
        { bucket: 5 },
        sql`INSERT INTO edges (src, kind, dst, id) VALUES (${5 << 12}, 'like', 1, 1) ON CONFLICT DO NOTHING`,
      );
    for (const replica of replicas) replica.kill("SIGSTOP");
    const first = await answerOf(edge(), ANSWERED_MS);
    // Somebody loses patience: Postgres commits what waits, on this server alone.
    await query(
      stack.adminUrl("pg-s0-0"),
      "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'",
    );
    await eventually(
      async () => (await query(shard().primary, "SELECT FROM edges WHERE dst = 1")).length === 1,
      "the edge",
    );
    const tries = [first, await answerOf(edge(), ANSWERED_MS)];
    for (const replica of replicas) replica.kill("SIGCONT");
    await db.close();
    expect(tries).toEqual([
      expect.stringContaining("not available"),
      expect.stringContaining("not available"),
    ]);
  });

  test("a killed primary is replaced by the replica that has most; it comes back as a replica, not as a primary", async () => {
    const { primary } = shard();
    await query(stack.adminUrl("pg-s0-1"), "ALTER SYSTEM SET primary_conninfo = ''");
    await query(stack.adminUrl("pg-s0-1"), "SELECT pg_reload_conf()");
    for (let n = 0; n < 20; n++) await query(primary, "INSERT INTO kept DEFAULT VALUES");
    handle("pg-s0-0").kill("SIGKILL");
    await stack.failover("s0", { onProgress });
    expect(nameAt(shard().primary)).toBe("pg-s0-2");
    expect(shard().replicas.map(nameAt)).toEqual(["pg-s0-0", "pg-s0-1"]);
    expect(await count(shard().primary)).toBe(21);
    expect(await standing(primary)).toEqual({ replica: true, timeline: 2 });
    const streaming = await query(
      stack.adminUrl("pg-s0-2"),
      "SELECT application_name AS name, sync_state AS sync FROM pg_stat_replication ORDER BY 1",
    );
    expect(streaming).toEqual([
      { name: "pg-s0-0", sync: "quorum" },
      { name: "pg-s0-1", sync: "quorum" },
    ]);
    expect(said).toEqual([
      expect.stringMatching(/^fenced pg-s0-0 \(\d+ ms\)$/),
      expect.stringMatching(/^chose pg-s0-2, which has 0\//),
      expect.stringMatching(/^promoted pg-s0-2 to timeline 2 /),
      expect.stringMatching(/^pg-s0-1 follow it /),
      expect.stringMatching(/^pg-s0-0 is back as a replica /),
    ]);
  });

  test("a primary that hangs is ended, with the processes that serve its connections", async () => {
    const old = handle("pg-s0-2");
    const { pid } = old;
    const connected = new Client({ connectionString: shard().primary });
    const ended = new Promise((resolve) => connected.on("error", resolve));
    await connected.connect();
    old.kill("SIGSTOP");
    await stack.failover("s0", { onProgress });
    await ended;
    expect(old.pid).not.toBe(pid);
    expect(nameAt(shard().primary)).not.toBe("pg-s0-2");
    expect(await count(shard().primary)).toBe(21);
  });

  test("a primary that answers hands over in order", async () => {
    const { primary } = shard();
    const writers = Array.from({ length: 4 }, () => query(primary, "INSERT INTO kept DEFAULT VALUES"));
    await Promise.all(writers);
    await stack.failover("s0", { onProgress });
    expect(await count(shard().primary)).toBe(25);
  });

  /** One replica receives nothing any more, so that the other one alone has what is written then; its name. */
  const writtenToOneReplicaAlone = async (behind: string) => {
    await query(stack.adminUrl(behind), "ALTER SYSTEM SET primary_conninfo = ''");
    await query(stack.adminUrl(behind), "SELECT pg_reload_conf()");
    await eventually(
      async () => (await query(stack.adminUrl(behind), "SELECT FROM pg_stat_wal_receiver")).length === 0,
      "a replica that receives nothing",
    );
    await query(shard().primary, "INSERT INTO kept DEFAULT VALUES");
    return (
      shard()
        .replicas.map(nameAt)
        .find((name) => name !== behind) ?? ""
    );
  };

  test("the replica that has most is promoted, though its latest checkpoint was before the failover before", async () => {
    const old = nameAt(shard().primary) ?? "";
    await stack.failover("s0", { onProgress });
    const ahead = await writtenToOneReplicaAlone(old);
    handle(nameAt(shard().primary) ?? "").kill("SIGKILL");
    await stack.failover("s0", { onProgress });
    expect(nameAt(shard().primary)).toBe(ahead);
    expect(await count(shard().primary)).toBe(26);
  });

  test("a replica that hangs once the primary is fenced, and may alone hold what was acknowledged, is waited for", async () => {
    const ahead = await writtenToOneReplicaAlone(nameAt(shard().replicas[0] ?? "") ?? "");
    await stack.failover("s0", {
      onProgress: (line) => {
        if (!line.startsWith("fenced")) return;
        handle(ahead).kill("SIGSTOP");
        // Longer than it takes to choose among those that answer.
        setTimeout(() => handle(ahead).kill("SIGCONT"), 7_000);
      },
    });
    expect(nameAt(shard().primary)).toBe(ahead);
    expect(await count(shard().primary)).toBe(27);
  });

  test("one that is brought back as it was gets no quorum, and no place in the next run", async () => {
    const { primary } = shard();
    const old = handle(nameAt(primary) ?? "");
    old.kill("SIGKILL");
    await stack.failover("s0", { old: "untouched", onProgress });
    await old.restart();
    expect((await standing(primary))?.replica).toBe(false);
    expect(await answerOf(query(primary, "INSERT INTO kept DEFAULT VALUES"))).toBe("waits");
    const { port } = new URL(shard().primary);
    await query(shard().primary, "INSERT INTO kept DEFAULT VALUES");
    await stack.stop();
    stack = await ownStack({ dataDir: stack.dataDir, redis: false, nats: false });
    expect(new URL(shard().primary).port).toBe(port);
    expect(shard().replicas).toHaveLength(2);
    for (const replica of shard().replicas) expect(await count(replica)).toBe(28);
  });

  test("the old primary's data can be kept instead; the shard then has a replica less", async () => {
    const old = nameAt(shard().primary) ?? "";
    await stack.failover("s0", { old: "fenced", onProgress });
    const aside = join(stack.dataDir, "postgres", `${old.slice(3)}.deposed`);
    expect(said).toContain(`the data of ${old} is kept in ${aside}`);
    expect(existsSync(join(aside, "standby.signal"))).toBe(true);
    expect(stack.servers.map(({ name }) => name)).not.toContain(old);
    expect(shard().replicas).toHaveLength(1);
    await query(shard().primary, "INSERT INTO kept DEFAULT VALUES");
    await eventually(async () => (await count(shard().replicas[0] ?? "")) === 29, "a replica that follows");
  });

  test("nothing is touched where no replica answers", async () => {
    const replica = handle(nameAt(shard().replicas[0] ?? "") ?? "");
    replica.kill("SIGKILL");
    await expect(stack.failover("s0", { onProgress })).rejects.toThrow(
      "shard s0: no replica answers, so none can be promoted",
    );
    expect((await standing(shard().primary))?.replica).toBe(false);
    await replica.restart();
  });

  test("an unknown shard is refused", async () => {
    await expect(stack.failover("s7")).rejects.toThrow("no shard s7 here: s0");
  });
});
