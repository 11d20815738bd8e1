import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ServiceBroker } from "moleculer";
import { SERVICE_NAMES } from "../config/env.ts";
import { startNode } from "../services/node.ts";
import { readFrom, sizeOf } from "./logs.ts";
import { PHASE } from "./processes.ts";
import { Restarter } from "./restarter.ts";
import { ROOT } from "./root.ts";
import type { Supervisor } from "./supervisor.ts";
import type { Stack } from "./types.ts";

/** Which service processes to run. */
export interface NodesOptions {
  split: boolean;
  workers: number;
  port: number;
  logDir: string;
  onProgress: (line: string) => void;
}

/** The services, wherever they run, and a broker of this process for the REPL. */
export interface RunningNodes {
  broker: ServiceBroker;
  metrics: { name: string; port: number }[];
  stop(): Promise<void>;
}

interface ChildSpec {
  name: string;
  env: NodeJS.ProcessEnv;
}

const READY_BOUND_MS = 60_000;
const POLL_MS = 50;

/**
 * Starts the five services: in this process, or in processes of their own that are started again when they die.
 * @throws a one-line error when several processes are wanted and there is no NATS, or a process does not start
 */
export async function startNodes(stack: Stack, options: NodesOptions): Promise<RunningNodes> {
  const env = environmentOf(stack, options);
  if (!options.split && options.workers === 1) {
    const node = await startNode({ LOG_LEVEL: "warn", ...env });
    return {
      broker: node.broker,
      metrics: [{ name: "all", port: node.metricsPort }],
      stop: () => node.stop(),
    };
  }
  if (stack.natsUrl === undefined) throw new Error("--split and --workers need NATS, and there is none");
  const children = childSpecs(options, env).map(
    (spec) => new ServiceProcess(stack.supervisor, spec, options),
  );
  const metrics = await Promise.all(
    children.map(async (child) => ({ name: child.name, port: await child.start() })),
  );
  const bare = await startNode({ LOG_LEVEL: "warn", ...env, SERVICES: "", NODE_ID: "launcher" });
  return {
    broker: bare.broker,
    metrics: [...metrics, { name: "launcher", port: bare.metricsPort }],
    stop: async () => {
      for (const child of children) child.retire();
      await bare.stop();
    },
  };
}

/** Exactly the stack's servers, whatever the launcher's own environment names. */
function environmentOf(stack: Stack, { port, split, workers }: NodesOptions): NodeJS.ProcessEnv {
  const processes = (split ? SERVICE_NAMES.length : 1) * workers;
  return {
    PG_POOL_SIZE: String(poolSizeFor(processes)),
    ...process.env,
    PORT: String(port),
    TOPOLOGY_FILE: stack.topologyFile,
    REDIS_URL: stack.redisUrl,
    NATS_URL: stack.natsUrl,
    SERVICES: undefined,
  };
}

function childSpecs({ split, workers }: NodesOptions, env: NodeJS.ProcessEnv): ChildSpec[] {
  const groups = split
    ? SERVICE_NAMES.map((name) => ({ name, services: name }))
    : [{ name: "all", services: undefined }];
  return groups.flatMap(({ name, services }) =>
    Array.from({ length: workers }, (_, index) => {
      const own = {
        SERVICES: services,
        NODE_ID: `${name}-${index + 1}`,
        REUSE_PORT: workers > 1 ? "1" : undefined,
      };
      return { name: own.NODE_ID, env: { ...env, ...own } };
    }),
  );
}

/** A `services/main.ts` of its own that is started again when it ends by itself. */
class ServiceProcess {
  readonly name: string;
  readonly #supervisor: Supervisor;
  readonly #spec: ChildSpec;
  readonly #options: NodesOptions;
  readonly #restarter: Restarter;

  constructor(supervisor: Supervisor, spec: ChildSpec, options: NodesOptions) {
    this.#supervisor = supervisor;
    this.#spec = spec;
    this.#options = options;
    this.name = spec.name;
    this.#restarter = new Restarter({
      name: spec.name,
      supervisor,
      start: () => this.start(),
      onProgress: options.onProgress,
    });
  }

  /** Its end is no longer a surprise. */
  retire(): void {
    this.#restarter.retire();
  }

  /**
   * Starts the process and resolves with its metrics port once it is ready.
   * @throws when it ends before that, with the last line that it wrote
   */
  async start(): Promise<number> {
    const { name } = this;
    const logFile = join(this.#options.logDir, `${name}.log`);
    const offset = sizeOf(logFile);
    const { child } = await this.#supervisor.spawn({
      name,
      command: process.execPath,
      args: [join(ROOT, "services", "main.ts")],
      cwd: ROOT,
      env: this.#spec.env,
      logFile,
      signal: "SIGTERM",
      phase: PHASE.services,
      graceMs: 10_000,
    });
    const startedAt = Date.now();
    let end: string | undefined;
    let port: number | undefined;
    child.once("exit", (code, signal) => {
      end = `ended with ${signal ?? `code ${code}`}`;
      if (port !== undefined) this.#restarter.ended(`${name} ${end}`, startedAt);
    });
    while (port === undefined) {
      const log = readFrom(logFile, offset);
      port = log
        .split("\n")
        .map(metricsPortOf)
        .find((each) => each !== undefined);
      if (port !== undefined) break;
      if (end === undefined && Date.now() - startedAt > READY_BOUND_MS) end = "is not ready after 60 s";
      if (end !== undefined) {
        // Nobody waits for it any more; another one may take its place.
        child.kill("SIGKILL");
        throw new Error(`${name} ${end}: ${log.trimEnd().split("\n").at(-1)}`);
      }
      await sleep(POLL_MS);
    }
    return port;
  }
}

/** The port in the one line that says that the process is ready; undefined for every other, or unfinished, line. */
function metricsPortOf(line: string): number | undefined {
  const [, port] = /^\{"ready":true,.*"metricsPort":(\d+).*\}$/.exec(line) ?? [];
  return port === undefined ? undefined : Number(port);
}

/**
 * Connections to a pool of each of so many processes, within what an embedded Postgres takes (200): a process has two
 * pools for a shard's primary.
 */
function poolSizeFor(processes: number): number {
  return Math.max(4, Math.min(10, Math.floor(160 / (2 * processes))));
}
