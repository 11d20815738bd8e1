import { rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { changesOf } from "./changes.ts";
import { takeCommands } from "./control/server.ts";
import { dockerAnswers, natsContainer, redisContainer, type ServerContainer } from "./docker.ts";
import { lockDirectory } from "./lock.ts";
import { startNats } from "./nats.ts";
import { planOf } from "./plan.ts";
import { removeOutsideData } from "./postgres/identity.ts";
import { type PostgresOptions, PostgresShards } from "./postgres/index.ts";
import { findProgram, type ProgramName } from "./programs/index.ts";
import { missingNotice } from "./programs/notices.ts";
import { startRedis } from "./redis/index.ts";
import type { Server } from "./server.ts";
import { assignPorts, loadState, makeDataDir, newState, type State, saveState } from "./state.ts";
import { natsStatus, redisStatus } from "./status.ts";
import { Supervisor, stopLeftovers } from "./supervisor.ts";
import type { Stack, StackOptions } from "./types.ts";

export type { ServerHandle } from "./server.ts";
export type { ExternalServers, Stack, StackOptions, TopologyName } from "./types.ts";

interface Part {
  url: string | undefined;
  servers: Server[];
  notice?: string;
  /** Stops what the supervisor does not know of. */
  stop?: () => Promise<void>;
}

/**
 * Brings up real Postgres, Redis and NATS servers on loopback, and resolves once all of them answer. The data
 * directory keeps the data, the ports and the secrets. Nothing that was started outlives this process, not even when
 * it is killed.
 * @throws a readable error when the data directory is in use or a server does not come up; nothing is left running
 */
export async function bringUp(options: StackOptions): Promise<Stack> {
  const dataDir = resolve(options.dataDir);
  options.signal?.throwIfAborted();
  makeDataDir(dataDir);
  const supervisor = new Supervisor();
  const settled = new AbortController();
  try {
    const aborted = stopOn(options.signal, { supervisor, until: settled.signal });
    return await Promise.race([startAll({ ...options, dataDir }, supervisor), aborted]);
  } catch (error) {
    await supervisor.stop();
    throw error;
  } finally {
    settled.abort();
  }
}

/** Removes a data directory that no stack uses any more, with what had to be kept outside of it. */
export function removeDataDir(dataDir: string): void {
  const state = loadState(dataDir);
  if (state !== undefined) removeOutsideData(state.id);
  rmSync(dataDir, { recursive: true, force: true });
}

async function startAll(options: StackOptions, supervisor: Supervisor): Promise<Stack> {
  const { dataDir, external = {} } = options;
  const lock = await lockDirectory(dataDir, supervisor.reaperPid ?? 0);
  const running = join(dataDir, "running.json");
  await stopLeftovers(running);
  supervisor.guard({ lock, running });
  const before = loadState(dataDir);
  const planned = planOf(options, before);
  const state = before === undefined ? newState(planned) : { ...before, ...planned };
  saveState(dataDir, state);
  const say = options.onProgress ?? (() => {});
  const watch = (server: Server) => {
    if (options.keepAlive === true) server.keepAlive(say);
  };
  const [postgres, redis, nats] = await settleAll([
    external.topologyFile === undefined ? bringUpPostgres(options, state, { supervisor, watch }) : undefined,
    external.redisUrl === undefined
      ? bringUpRedis(options, state, supervisor)
      : { url: external.redisUrl, servers: [] },
    external.natsUrl === undefined
      ? bringUpNats(options, state, supervisor)
      : { url: external.natsUrl, servers: [] },
  ]);
  const current = () => [...(postgres?.servers ?? []), ...redis.servers, ...nats.servers];
  const servers = current();
  for (const server of servers) watch(server);
  const changes = changesOf(postgres, {
    say,
    changed: () => void servers.splice(0, servers.length, ...current()),
  });
  await assignPorts(state, ["control"]);
  saveState(dataDir, state);
  let deafen: (() => void) | undefined;
  const stack: Stack = {
    ...changes,
    topologyFile: postgres?.topologyFile ?? external.topologyFile ?? "",
    redisUrl: redis.url,
    natsUrl: nats.url,
    adminUrl: (name) => {
      if (postgres === undefined) throw new Error(`this stack has no Postgres server ${name}`);
      return postgres.adminUrl(name);
    },
    status: async () => [
      ...((await postgres?.status()) ?? []),
      ...(await redisStatus(redis.servers, state.secrets.redis)),
      ...natsStatus(nats.servers),
    ],
    notices: [redis.notice, nats.notice].filter((notice) => notice !== undefined),
    servers,
    supervisor,
    stop: async () => {
      deafen?.();
      await supervisor.stop();
      await Promise.all([redis.stop?.(), nats.stop?.()]);
    },
  };
  deafen = await takeCommands(stack, { port: state.ports.control ?? 0, secret: state.secrets.control });
  return stack;
}

/** Never resolves; rejects once an abort has stopped everything, without waiting for what is still being waited for. */
function stopOn(
  signal: AbortSignal | undefined,
  { supervisor, until }: { supervisor: Supervisor; until: AbortSignal },
): Promise<never> {
  return new Promise((_, reject) => {
    const stop = () => void supervisor.stop().then(() => reject(signal?.reason));
    signal?.addEventListener("abort", stop, { once: true, signal: until });
  });
}

async function bringUpPostgres(
  { dataDir, onProgress }: StackOptions,
  state: State,
  options: Pick<PostgresOptions, "supervisor" | "watch">,
): Promise<PostgresShards> {
  onProgress?.("starting Postgres");
  return PostgresShards.start(state, { dataDir, ...options });
}

async function bringUpRedis(options: StackOptions, state: State, supervisor: Supervisor): Promise<Part> {
  if (options.redis === false) return { url: undefined, servers: [] };
  const program = await findProgram("redis-server", options.onProgress ?? (() => {}));
  const password = state.secrets.redis;
  if (program === undefined) {
    return fromDocker("redis-server", "Redis, one server", () => redisContainer(password));
  }
  options.onProgress?.("starting Redis");
  return startRedis(state, { dataDir: options.dataDir, program, supervisor, password });
}

async function bringUpNats(options: StackOptions, state: State, supervisor: Supervisor): Promise<Part> {
  if (options.nats === false) return { url: undefined, servers: [] };
  const program = await findProgram("nats-server", options.onProgress ?? (() => {}));
  if (program === undefined)
    return fromDocker("nats-server", "NATS", () => natsContainer(state.secrets.nats));
  options.onProgress?.("starting NATS");
  return startNats(options.dataDir, state, { program, supervisor });
}

/** A server whose program is not to be had otherwise: in a container, or not at all. */
async function fromDocker(
  name: ProgramName,
  what: string,
  run: () => Promise<ServerContainer>,
): Promise<Part> {
  if (!(await dockerAnswers())) return { url: undefined, servers: [], notice: missingNotice(name) };
  const { url, stop } = await run();
  return { url, servers: [], notice: `${what}, runs in Docker, for want of a ${name} on this machine`, stop };
}

/** Waits for all even when one fails, so that nothing is still being started while the rest is stopped. */
async function settleAll<T extends readonly unknown[]>(
  parts: {
    [K in keyof T]: T[K] | Promise<T[K]>;
  },
): Promise<T> {
  const results = await Promise.allSettled(parts);
  const failed = results.find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  // The cast: every result is fulfilled, in the order of the tuple.
  return results.map((result) => (result.status === "fulfilled" ? result.value : undefined)) as unknown as T;
}
