import type { FailoverOptions } from "./postgres/failover.ts";
import type { ServerHandle } from "./server.ts";
import type { ServerStatus } from "./status.ts";
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
  /** Where none is named, the data directory's own form, or `single` for a new one. */
  topology?: TopologyName | undefined;
  /** Standbys of each shard: as many as before, and at first 0 for single, 3 for replicas, 1 for sharded. */
  replicas?: number | undefined;
  /** Whether a commit counts only once one of the standbys has it too; as before where not given, and at first not. */
  sync?: boolean | undefined;
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

/** Who is told, line by line, what a change of the stack does. */
export interface Reported {
  onProgress?: (line: string) => void;
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
  /**
   * Replaces the primary of a shard by its most advanced replica, see `failOver`. `onProgress` is told of each step.
   * @throws where no replica answers; nothing has been touched then
   */
  failover(shard: string, options?: FailoverOptions & Reported): Promise<void>;
  /** Adds a replica to a shard, copied from its running primary; nobody is stopped. Answers the name of its server. */
  addReplica(shard: string, options?: Reported): Promise<string>;
  /** Stops a replica and removes its data. Throws where that is a primary. */
  removeReplica(server: string, options?: Reported): Promise<void>;
  /**
   * Adds an empty shard, with the schema, to the servers and the topology file, not to the shard map: `npm run shards --
   * add` does that. Answers its servers' URLs, the primary's first.
   */
  addShard(shard: string, options?: { replicas?: number } & Reported): Promise<string[]>;
  /** Removes a shard with its data. Throws while the shard map names it. */
  removeShard(shard: string, options?: Reported): Promise<void>;
  /**
   * Has the shard map name the servers that run, where it names others (ports change between runs); for the time between
   * the migrations and the first node. What changes later gets there by itself.
   */
  publishServers(): Promise<void>;
  /** Every server of this stack, by what it answers now. */
  status(): Promise<ServerStatus[]>;
  /** What is missing, and the line that installs it. */
  notices: string[];
  /** The servers that this stack started, as of now: tests break them. Postgres servers: "pg-s0-0", whatever their role. */
  servers: ServerHandle[];
  /** Starts further processes that end with the stack, however it ends. */
  supervisor: Supervisor;
  /** Stops everything that it started, clients before servers, and frees the data directory. */
  stop(): Promise<void>;
}
