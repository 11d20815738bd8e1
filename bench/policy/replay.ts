import { type ChildProcess, fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Topology } from "../../config/topology.ts";
import { between, type Cost, type CostMeter, type Reading } from "./cost.ts";
import { Database } from "./database.ts";
import type { Reply, Request } from "./replayer.ts";
import type { Operation } from "./workload.ts";

const QUIET_POLL_MS = 100;

/** What all variants share. */
export interface ReplaySetting {
  /** Of the loaded shard, which each of them copies. */
  topology: Topology;
  redisUrl: string;
  /** For files. */
  directory: string;
  meter: CostMeter;
}

/** A Roost of a variant's own: a process with all services, on a database and keys in Redis that no other one has. */
export class Replay {
  readonly database: Database;
  readonly #child: ChildProcess;
  readonly #meter: CostMeter;
  #reply = Promise.withResolvers<Reply>();

  private constructor(child: ChildProcess, meter: CostMeter, database: Database) {
    this.database = database;
    this.#child = child;
    this.#meter = meter;
    // The cast: the replayer sends nothing else.
    child.on("message", (message) => this.#reply.resolve(message as Reply));
    child.on("exit", () => this.#reply.resolve({ error: "the replaying process ended" }));
  }

  /** Begins under a FANOUT_POLICY, some people being pulled at an operator's word. */
  static async start(
    setting: ReplaySetting,
    policy: string,
    pinned: readonly number[] = [],
  ): Promise<Replay> {
    const { topology, redisUrl, directory, meter } = setting;
    const name = `variant_${randomBytes(4).toString("hex")}`;
    const database = await Database.copyOf(topology, name);
    await database.pin(pinned);
    const topologyFile = join(directory, `${name}.json`);
    writeFileSync(topologyFile, JSON.stringify(database.topology), { mode: 0o600 });
    const child = fork(join(import.meta.dirname, "replayer.ts"), {
      env: {
        ...process.env,
        TOPOLOGY_FILE: topologyFile,
        REDIS_URL: redisUrl,
        REDIS_PREFIX: `${name}:`,
        NATS_URL: "",
        FANOUT_POLICY: policy,
        SERVICES: "user,graph,tweet,timeline",
        LOG_LEVEL: "warn",
        METRICS_PORT: "0",
      },
    });
    const replay = new Replay(child, meter, database);
    await replay.#replied();
    return replay;
  }

  /** Does the operations, waits until every tweet is delivered, and tells what all that has cost. */
  async run(operations: Operation[]): Promise<Cost> {
    const before = await this.#read();
    await this.#ask({ replay: operations });
    while ((await this.database.pendingJobs()) > 0) await sleep(QUIET_POLL_MS);
    return between(before, await this.#read());
  }

  async stop(): Promise<void> {
    const ended = once(this.#child, "exit");
    this.#child.kill();
    await ended;
    await this.database.close();
  }

  async #read(): Promise<Reading> {
    const [cpuMicros, servers] = await Promise.all([this.#ask({ cost: true }), this.#meter.servers()]);
    return { serviceMs: cpuMicros / 1_000, ...servers };
  }

  async #ask(request: Request): Promise<number> {
    this.#reply = Promise.withResolvers();
    this.#child.send(request);
    return this.#replied();
  }

  async #replied(): Promise<number> {
    const reply = await this.#reply.promise;
    if ("error" in reply) throw new Error(reply.error);
    return reply.cpuMicros;
  }
}
