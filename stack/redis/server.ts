import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PHASE } from "../processes.ts";
import type { Program } from "../programs/index.ts";
import { Server } from "../server.ts";
import type { Supervisor } from "../supervisor.ts";
import { answersPing } from "./client.ts";

/** What all Redis processes of a stack have in common. */
export interface RedisContext {
  dataDir: string;
  program: Program;
  supervisor: Supervisor;
  password: string;
}

/** Where the files of one server are. */
export function redisDirectory(context: RedisContext, name: string): string {
  return join(context.dataDir, "redis", name);
}

/** One redis-server with its own configuration; `extra` are further lines of it. */
export function redisServer(context: RedisContext, name: string, port: number, extra: string[] = []): Server {
  return serverOf(context, {
    name,
    port,
    args: [],
    phase: PHASE.backends,
    lines: [
      `masterauth ${context.password}`,
      // Redis holds nothing that cannot be rebuilt from Postgres: a restart begins empty.
      'save ""',
      "appendonly no",
      // What a replica gets from its master it would keep in a file, and come back with: in a cluster with keys of slots that
      // have moved since, which it then takes for slots on their way to it.
      "rdb-del-sync-files yes",
      "maxmemory 512mb",
      "maxmemory-policy allkeys-lru",
      "repl-diskless-sync yes",
      "repl-diskless-sync-delay 0",
      // An idle replica counts as available, and is listed to clients, only after its first ping.
      "repl-ping-replica-period 1",
      ...extra,
    ],
  });
}

/** One Redis Sentinel that watches the master at `masterPort` under `masterName`. */
export function sentinelServer(
  context: RedisContext,
  options: { name: string; port: number; masterName: string; masterPort: number; quorum: number },
): Server {
  const { masterName } = options;
  return serverOf(context, {
    name: options.name,
    port: options.port,
    args: ["--sentinel"],
    phase: PHASE.redisSentinel,
    lines: [
      `sentinel monitor ${masterName} 127.0.0.1 ${options.masterPort} ${options.quorum}`,
      `sentinel auth-pass ${masterName} ${context.password}`,
      `sentinel sentinel-pass ${context.password}`,
      `sentinel down-after-milliseconds ${masterName} 2000`,
      `sentinel failover-timeout ${masterName} 10000`,
    ],
  });
}

function serverOf(
  context: RedisContext,
  options: { name: string; port: number; args: string[]; phase: number; lines: string[] },
): Server {
  const { name, port } = options;
  const directory = redisDirectory(context, name);
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const file = join(directory, "redis.conf");
  const lines = [
    "bind 127.0.0.1",
    "protected-mode yes",
    `port ${port}`,
    `dir ${JSON.stringify(directory)}`,
    `requirepass ${context.password}`,
    ...options.lines,
  ];
  writeFileSync(file, `${lines.join("\n")}\n`, { mode: 0o600 });
  return new Server(context.supervisor, {
    name,
    port,
    command: context.program.command,
    args: [file, ...options.args],
    env: context.program.env,
    cwd: directory,
    logFile: join(context.dataDir, "logs", `${name}.log`),
    signal: "SIGTERM",
    phase: options.phase,
    graceMs: 5_000,
    isReady: () => answersPing({ port, password: context.password }),
  });
}
