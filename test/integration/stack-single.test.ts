import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { connect } from "nats";
import { Client } from "pg";
import { readTopologyFile } from "../../config/topology.ts";
import { externalServers } from "../../stack/external.ts";
import { bringUp, removeDataDir } from "../../stack/index.ts";
import { startOf } from "../../stack/processes.ts";
import { type OwnStack, ownStack } from "../support/servers.ts";

const dataDir = mkdtempSync(join(tmpdir(), "roost-stack-"));
let stack: OwnStack | undefined;
let launcher: ChildProcess | undefined;

afterAll(async () => {
  launcher?.kill("SIGKILL");
  await stack?.stop();
  removeDataDir(dataDir);
});

async function query(topologyFile: string, text: string): Promise<unknown[]> {
  const client = new Client({ connectionString: readTopologyFile(topologyFile).shards[0]?.primary });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

describe("a single stack", () => {
  test("has one Postgres, one Redis and NATS, which answer under the URLs that it gives", async () => {
    stack = await ownStack({ topology: "single", dataDir });
    expect(stack.servers.map(({ name }) => name)).toEqual(["pg-s0-0", "redis-1", "nats"]);
    await externalServers({
      TOPOLOGY_FILE: stack.topologyFile,
      REDIS_URL: stack.redisUrl,
      NATS_URL: stack.natsUrl,
    });
    expect(readTopologyFile(stack.topologyFile).shards).toMatchObject([{ name: "s0", buckets: [[0, 1023]] }]);
    await query(stack.topologyFile, "CREATE TABLE kept AS SELECT 42 AS answer");
  });

  test("is durable, and ready for logical replication", async () => {
    const settings =
      "SELECT current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS commit, current_setting('wal_level') AS wal";
    expect(await query(stack?.topologyFile ?? "", settings)).toEqual([
      { fsync: "on", commit: "on", wal: "logical" },
    ]);
  });

  test("refuses NATS and Redis clients without the secret", async () => {
    const { port } = new URL(stack?.natsUrl ?? "");
    await expect(connect({ servers: `127.0.0.1:${port}`, reconnect: false })).rejects.toThrow(
      /authorization/i,
    );
    const redis = new Redis(Number(new URL(stack?.redisUrl ?? "").port), { enableReadyCheck: false });
    redis.on("error", () => {});
    await expect(redis.ping()).rejects.toThrow("NOAUTH");
    redis.disconnect();
  });

  test("keeps its secrets to its owner", () => {
    for (const file of ["state.json", "topology.json", "nats.conf"]) {
      expect(statSync(join(dataDir, file)).mode & 0o077).toBe(0);
    }
  });

  test("holds its data directory: a second one is refused, and told by whom", async () => {
    await expect(bringUp({ topology: "single", dataDir })).rejects.toThrow(
      `data directory ${dataDir} is in use by process ${process.pid} (`,
    );
  });

  test("brings a killed server back with its data", async () => {
    const postgres = stack?.servers[0];
    postgres?.kill("SIGKILL");
    await postgres?.restart();
    expect(await query(stack?.topologyFile ?? "", "SELECT answer FROM kept")).toEqual([{ answer: 42 }]);
  });

  test("keeps data and addresses over a restart", async () => {
    const before = stack?.servers.map(({ port }) => port);
    await stack?.stop();
    stack = await ownStack({ topology: "single", dataDir });
    expect(stack.servers.map(({ port }) => port)).toEqual(before);
    expect(await query(stack.topologyFile, "SELECT answer FROM kept")).toEqual([{ answer: 42 }]);
  });

  test("refuses data that is spread over another number of shards", async () => {
    await stack?.stop();
    await expect(bringUp({ topology: "sharded", dataDir })).rejects.toThrow("holds 1 shard(s), not 3");
  });

  test("leaves no process behind when its launcher is killed, and the data directory is free again", async () => {
    const script = join(import.meta.dirname, "../support/hold-stack.ts");
    launcher = spawn(process.execPath, [script, dataDir], { stdio: ["ignore", "pipe", "inherit"] });
    if (launcher.stdout === null) throw new Error("no output");
    const [line] = await once(launcher.stdout, "data");
    const pids: number[] = JSON.parse(String(line)).servers.map(({ pid }: { pid: number }) => pid);
    expect(pids).toHaveLength(3);
    launcher.kill("SIGKILL");
    while (pids.some((pid) => startOf(pid) !== undefined)) await sleep(20);
    while (existsSync(join(dataDir, "lock"))) await sleep(20);
    stack = await ownStack({ topology: "single", dataDir });
    expect(await query(stack.topologyFile, "SELECT answer FROM kept")).toEqual([{ answer: 42 }]);
  });
});

describe("a stack that is kept alive", () => {
  test("starts a server that was killed from outside again, says so, and stops in silence", async () => {
    const lines: string[] = [];
    const kept = await ownStack({
      topology: "single",
      nats: false,
      keepAlive: true,
      onProgress: (line) => lines.push(line),
    });
    try {
      const redis = kept.servers.find(({ name }) => name === "redis-1");
      if (redis === undefined) throw new Error("no Redis");
      const { pid } = redis;
      process.kill(pid, "SIGKILL");
      while (!lines.includes("redis-1 is back")) await sleep(20);
      expect(lines.slice(-2)).toEqual([
        "redis-1 ended with SIGKILL; starting it again in 0.5 s",
        "redis-1 is back",
      ]);
      expect(redis.pid).not.toBe(pid);
      await externalServers({ REDIS_URL: kept.redisUrl });
      expect(new URL(kept.redisUrl ?? "").port).toBe(String(redis.port));
    } finally {
      await kept.destroy();
    }
    expect(lines.at(-1)).toBe("redis-1 is back");
  });
});

describe("a stack without Redis and NATS", () => {
  test("comes up, and says what is missing and how to get it", async () => {
    const { ROOST_CACHE, ROOST_NO_DOWNLOAD, ROOST_NO_INSTALLED, DOCKER_HOST } = process.env;
    const bare = mkdtempSync(join(tmpdir(), "roost-bare-"));
    Object.assign(process.env, {
      ROOST_CACHE: bare,
      ROOST_NO_DOWNLOAD: "1",
      ROOST_NO_INSTALLED: "1",
      DOCKER_HOST: "unix:///nowhere/docker.sock",
    });
    let degraded: OwnStack | undefined;
    try {
      degraded = await ownStack({ topology: "single" });
      expect(degraded).toMatchObject({ redisUrl: undefined, natsUrl: undefined });
      expect(degraded.notices).toEqual([
        expect.stringMatching(/^without Redis: .* install .*redis/),
        expect.stringMatching(/^without NATS: .* install nats-server/),
      ]);
    } finally {
      restore({ ROOST_CACHE, ROOST_NO_DOWNLOAD, ROOST_NO_INSTALLED, DOCKER_HOST });
      await degraded?.destroy();
      removeDataDir(bare);
    }
  });
});

function restore(variables: Record<string, string | undefined>): void {
  for (const [name, value] of Object.entries(variables)) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
}
