import { once } from "node:events";
import { mkdtempSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readTopologyFile } from "../config/topology.ts";
import { migrate } from "../mixins/shard-db/migrate.ts";
import { bringUp, removeDataDir, type Stack, type TopologyName } from "../stack/index.ts";
import { type RunningNodes, startNodes } from "../stack/nodes.ts";
import { PHASE } from "../stack/processes.ts";
import { ROOT } from "../stack/root.ts";

const READY_MS = 60_000;
const READY_POLL_MS = 100;

export interface OwnStackOptions {
  topology: TopologyName;
  split: boolean;
  workers: number;
  /** More for the environment of the services. */
  env?: NodeJS.ProcessEnv;
  /** Where data and logs lie and stay; undefined: in a temporary directory, removed in the end. */
  dataDir?: string | undefined;
  /** false: servers that end stay down. */
  keepAlive?: boolean;
  onProgress: (line: string) => void;
  /** Aborting it while the stack comes up stops what was started, and `startOwnStack` rejects. */
  signal: AbortSignal;
}

/** A whole Roost of one's own. */
export interface OwnStack {
  url: string;
  topologyFile: string;
  redisUrl: string | undefined;
  /** Its servers, which can be changed while it runs. */
  stack: Stack;
  dataDir: string;
  /** Stops everything; removes the data unless it was given a place. */
  stop(): Promise<void>;
}

/**
 * Brings up servers, schema and services without rate limits. No service runs in this process, so that who measures
 * does not slow down what is measured. Nothing that was started outlives this process.
 * @throws a one-line error where something does not come up; nothing is left then
 */
export async function startOwnStack(options: OwnStackOptions): Promise<OwnStack> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), "roost-load-"));
  const logDir = join(dataDir, "logs");
  let stack: Stack | undefined;
  let nodes: RunningNodes | undefined;
  const stop = async () => {
    await nodes?.stop();
    await stack?.stop();
    if (options.dataDir === undefined) removeDataDir(dataDir);
  };
  try {
    stack = await bringUp({ keepAlive: true, ...options, dataDir });
    for (const notice of stack.notices) options.onProgress(notice);
    await migrate(readTopologyFile(stack.topologyFile));
    await stack.publishServers();
    options.onProgress("starting the services");
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    if (options.split || options.workers > 1) {
      // startNodes hands this environment on to the services.
      Object.assign(process.env, ENVIRONMENT, options.env);
      nodes = await startNodes(stack, { ...options, port, logDir });
      await untilReady(url, options.signal);
    } else {
      const { ended } = await startAllInOne(stack, port, { ...ENVIRONMENT, ...options.env }, logDir);
      await Promise.race([untilReady(url, options.signal), ended]);
    }
    return { url, topologyFile: stack.topologyFile, redisUrl: stack.redisUrl, stack, dataDir, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

const ENVIRONMENT = { RATE_LIMIT_FACTOR: "0", LOG_LEVEL: "warn" };

/** Starts all five services in one child process. The promise inside rejects when that ends. */
async function startAllInOne(
  stack: Stack,
  port: number,
  env: NodeJS.ProcessEnv,
  logDir: string,
): Promise<{ ended: Promise<never> }> {
  const logFile = join(logDir, "services.log");
  const { child } = await stack.supervisor.spawn({
    name: "services",
    command: process.execPath,
    args: [join(ROOT, "services", "main.ts")],
    cwd: ROOT,
    env: {
      ...process.env,
      ...env,
      PORT: String(port),
      TOPOLOGY_FILE: stack.topologyFile,
      REDIS_URL: stack.redisUrl,
      NATS_URL: stack.natsUrl,
      SERVICES: undefined,
    },
    logFile,
    signal: "SIGTERM",
    phase: PHASE.services,
    graceMs: 10_000,
  });
  const ended = once(child, "exit").then(() => {
    const last = readFileSync(logFile, "utf8").trimEnd().split("\n").at(-1);
    throw new Error(`the services ended: ${last}`);
  });
  // Once they are ready, their end is either wanted or shows in every request.
  ended.catch(() => {});
  return { ended };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  if (address === null || typeof address === "string") throw new Error("no free port on 127.0.0.1");
  return address.port;
}

async function untilReady(url: string, signal: AbortSignal): Promise<void> {
  const deadline = Date.now() + READY_MS;
  for (;;) {
    const answer = await fetch(`${url}/health/ready`, { signal }).catch(() => undefined);
    if (answer?.ok) return;
    signal.throwIfAborted();
    if (Date.now() > deadline) {
      const said = answer === undefined ? "no answer" : `${answer.status} ${await answer.text()}`;
      throw new Error(`the services are not ready after ${READY_MS / 1000} s: ${said}`);
    }
    await sleep(READY_POLL_MS);
  }
}
