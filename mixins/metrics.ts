import { createServer, type Server } from "node:http";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const FIRST_PORT = 9_464;

/** The metrics of one process; every name begins with `roost_`. Durations in seconds. */
export class Metrics {
  readonly registry = new Registry();
  readonly httpDuration = this.#histogram("http_request_duration_seconds", "HTTP requests", [
    "method",
    "route",
    "status",
  ]);
  readonly actionDuration = this.#histogram("action_duration_seconds", "Action calls", ["action", "outcome"]);
  readonly fanoutLag = this.#histogram(
    "fanout_lag_seconds",
    "From a tweet's id to its last follower's list",
    [],
  );
  readonly fanoutPushes = this.#counter("fanout_pushes_total", "Home lists that a tweet was offered to", []);
  readonly fanoutAuthors = this.#gauge("fanout_authors", "Authors who are not simply pushed", ["mode"]);
  readonly fanoutMeasurements = this.#counter("fanout_measurements_total", "Authors measured", []);
  readonly outboxJobs = this.#counter("outbox_jobs_total", "Outbox jobs worked on", ["kind", "outcome"]);
  readonly outboxDepth = this.#gauge("outbox_depth", "Due jobs in the outbox", ["shard", "kind"]);
  readonly deadLetters = this.#gauge("outbox_dead_letters", "Jobs that were given up", ["shard", "kind"]);
  readonly homeReads = this.#counter(
    "home_reads_total",
    "Home timeline reads by where they were served from",
    ["source"],
  );
  readonly homeBuilds = this.#counter("home_builds_total", "Home lists built from Postgres", ["outcome"]);
  readonly streams = this.#gauge("streams_open", "Streams that are open", []);
  readonly streamsDropped = this.#counter("streams_dropped_total", "Streams whose readers were too slow", []);
  readonly dbReads = this.#counter("db_reads_total", "Reads that a replica may answer, by who did, and why", [
    "shard",
    "by",
    "why",
  ]);
  readonly shardHasPrimary = this.#gauge(
    "shard_has_primary",
    "1 where the shard's primary is known and answers",
    ["shard"],
  );
  readonly shardTimeline = this.#gauge("shard_timeline", "Grows with each promotion", ["shard"]);
  readonly mapEpoch = this.#gauge("shard_map_epoch", "Of the shard map that this process routes by", []);
  readonly replicaLagBytes = this.#gauge("replica_lag_bytes", "WAL that a replica has not replayed", [
    "shard",
    "replica",
  ]);
  readonly replicaLagSeconds = this.#gauge("replica_lag_seconds", "Age of what a replica last replayed", [
    "shard",
    "replica",
  ]);
  readonly replicaInRotation = this.#gauge("replica_in_rotation", "1 where a replica serves reads", [
    "shard",
    "replica",
  ]);
  #server: Server | undefined;
  #collectors: (() => void | Promise<void>)[] = [];

  constructor() {
    collectDefaultMetrics({ register: this.registry, prefix: "roost_" });
  }

  /** Runs `collect` before each scrape, to set gauges that are cheaper to ask for than to keep. */
  onScrape(collect: () => void | Promise<void>): void {
    this.#collectors.push(collect);
  }

  /** Serves /metrics; without a port, on the first free one from 9464 up. Returns the port. */
  async listen(host: string, port: number | undefined): Promise<number> {
    for (let candidate = port ?? FIRST_PORT; ; candidate++) {
      try {
        return await this.#listenOn(host, candidate);
      } catch (error) {
        const busy = Error.isError(error) && "code" in error && error.code === "EADDRINUSE";
        if (!busy || port !== undefined || candidate > FIRST_PORT + 500) throw error;
      }
    }
  }

  async close(): Promise<void> {
    const server = this.#server;
    if (server) await new Promise((done) => server.close(done).closeAllConnections());
  }

  async #listenOn(host: string, port: number): Promise<number> {
    const server = createServer(async (request, response) => {
      if (request.url !== "/metrics") {
        response.writeHead(404).end();
        return;
      }
      await Promise.allSettled(this.#collectors.map(async (collect) => collect()));
      response.setHeader("content-type", this.registry.contentType);
      response.end(await this.registry.metrics());
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject).listen(port, host, resolve);
    });
    this.#server = server;
    const address = server.address();
    return typeof address === "object" && address ? address.port : port;
  }

  #histogram<L extends string>(name: string, help: string, labelNames: L[]): Histogram<L> {
    return new Histogram({
      name: `roost_${name}`,
      help,
      labelNames,
      buckets: SECONDS,
      registers: [this.registry],
    });
  }

  #counter<L extends string>(name: string, help: string, labelNames: L[]): Counter<L> {
    return new Counter({ name: `roost_${name}`, help, labelNames, registers: [this.registry] });
  }

  #gauge<L extends string>(name: string, help: string, labelNames: L[]): Gauge<L> {
    return new Gauge({ name: `roost_${name}`, help, labelNames, registers: [this.registry] });
  }
}
