import { join, resolve } from "node:path";
import { UsageError } from "../config/command-line.ts";
import { readTopologyFile } from "../config/topology.ts";
import { migrate } from "../mixins/shard-db/migrate.ts";
import { banner } from "./banner.ts";
import { externalServers } from "./external.ts";
import { bringUp } from "./index.ts";
import { type RunningNodes, startNodes } from "./nodes.ts";
import { parseOptions, type StartOptions, USAGE } from "./options.ts";
import { openRepl } from "./repl.ts";
import { saveEnvironment } from "./state.ts";
import type { Stack } from "./types.ts";

const stopping = new AbortController();
let stack: Stack | undefined;
let nodes: RunningNodes | undefined;

/** `npm start`: servers, migrations, services, in this order; then it waits for a signal. */
async function start(options: StartOptions): Promise<void> {
  const dataDir = resolve(options.dataDir);
  const external = await externalServers(process.env);
  stack = await bringUp({
    ...options,
    dataDir,
    external,
    keepAlive: true,
    redis: process.env.ROOST_NO_REDIS !== "1",
    nats: process.env.ROOST_NO_NATS !== "1",
    onProgress: say,
    signal: stopping.signal,
  });
  const { topologyFile: TOPOLOGY_FILE, redisUrl: REDIS_URL, natsUrl: NATS_URL } = stack;
  saveEnvironment(dataDir, { TOPOLOGY_FILE, REDIS_URL, NATS_URL });
  await migrate(readTopologyFile(stack.topologyFile), (line) => say(`migrated ${line}`));
  await stack.publishServers();
  say("starting the services");
  nodes = await startNodes(stack, { ...options, logDir: join(dataDir, "logs"), onProgress: say });
  console.log(banner({ ...options, dataDir, stack, nodes }));
  if (options.repl && process.stdin.isTTY) openRepl(nodes.broker, () => void stop());
}

/** Stops everything that was started, services before servers, and ends the process. */
async function stop(): Promise<void> {
  if (stopping.signal.aborted) return;
  stopping.abort();
  await started;
  if (process.exitCode === undefined) say("stopping");
  await nodes?.stop().catch(report);
  await stack?.stop();
  process.exit();
}

function say(line: string): void {
  console.log(`roost: ${line}`);
}

function report(error: unknown): void {
  if (stopping.signal.aborted) return;
  console.error(`roost: ${Error.isError(error) ? error.message : String(error)}`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) console.log(USAGE);
  else await start(options);
}

for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => void stop());
const started = main().catch(report);
await started;
if (process.exitCode !== undefined) await stop();
