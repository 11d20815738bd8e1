import type { ServerHandle } from "./server.ts";
import type { Supervisor } from "./supervisor.ts";

/**
 * `single`: one primary, one Redis. `replicas`: one primary with streaming replicas, a Redis master and replica under
 * Sentinel. `sharded`: three shards, each a primary with a replica, and a Redis Cluster of three masters and replicas.
 */
export type TopologyName = "single" | "replicas" | "sharded";

/** Servers that run already and are used as they are; whatever is not named is brought up. */
export interface ExternalServers {
  topologyFile?: string | undefined;
  redisUrl?: string | undefined;
  natsUrl?: string | undefined;
}

export interface StackOptions {
  topology: TopologyName;
  /** Standbys of each shard: 0 for single, 3 for replicas, 1 for sharded where not given. */
  replicas?: number | undefined;
  /** Absolute, or relative to the current directory; made where it is missing, kept between runs. */
  dataDir: string;
  /** false: run without Redis. */
  redis?: boolean;
  /** false: run without NATS. */
  nats?: boolean;
  external?: ExternalServers;
  /**
   * Starts a server again when it ends by itself, and tells `onProgress`. Without it what is down stays down: for those
   * who break servers on purpose. A server that is restarted through its handle is left to whoever did so.
   */
  keepAlive?: boolean;
  onProgress?: (line: string) => void;
  /** Aborting it while the stack comes up stops what was started, and `bringUp` rejects. */
  signal?: AbortSignal;
}

export interface Stack {
  topologyFile: string;
  /** `redis://…`, `redis+sentinel://:secret@h1:p,h2:p,h3:p/name`, a comma list for a cluster; undefined: none to be had. */
  redisUrl: string | undefined;
  natsUrl: string | undefined;
  /**
   * The superuser's URL of a Postgres server that this stack started, by its name: for failovers and settings.
   * @throws where there is no such server
   */
  adminUrl(server: string): string;
  /** What is missing, and the line that installs it. */
  notices: string[];
  /** The servers that this stack started, so that tests can break them. */
  servers: ServerHandle[];
  /** Starts further processes that end with the stack, however it ends. */
  supervisor: Supervisor;
  /** Stops everything that it started, clients before servers, and frees the data directory. */
  stop(): Promise<void>;
}
