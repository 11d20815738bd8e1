import { join } from "node:path";
import type { Server } from "../server.ts";
import { assignPorts, type State, saveState, writeWhole } from "../state.ts";
import type { Supervisor } from "../supervisor.ts";
import { findPostgres } from "./binaries.ts";
import { type FailoverOptions, failOver } from "./failover.ts";
import { chooseIdentity } from "./identity.ts";
import { type PostgresContext, Shard } from "./shard.ts";

export interface PostgresOptions {
  dataDir: string;
  supervisor: Supervisor;
  /** Takes care of a server that is started after the stack has come up. */
  watch: (server: Server) => void;
}

type Say = (line: string) => void;

const MANY_SERVERS = 4;

/** All shards of a stack. What changes is written to the state and to the topology file at once. */
export class PostgresShards {
  readonly topologyFile: string;
  readonly shards: Shard[];
  readonly #dataDir: string;
  readonly #state: State;
  readonly #context: PostgresContext;

  private constructor(state: State, { dataDir, supervisor, watch }: PostgresOptions) {
    this.#dataDir = dataDir;
    this.#state = state;
    this.topologyFile = join(dataDir, "topology.json");
    this.#context = {
      identity: chooseIdentity(dataDir, state.id, findPostgres()),
      supervisor,
      state,
      logDir: join(dataDir, "logs"),
      sharedBuffers: state.shards.flatMap(({ members }) => members).length >= MANY_SERVERS ? "64MB" : "128MB",
      portOf: async (name) => {
        await assignPorts(state, [name]);
        return state.ports[name] ?? 0;
      },
      watch,
      save: () => this.save(),
    };
    this.shards = state.shards.map((each) => new Shard(each, this.#context));
  }

  /** Brings up the shards of a state, all at once. */
  static async start(state: State, options: PostgresOptions): Promise<PostgresShards> {
    const postgres = new PostgresShards(state, options);
    await Promise.all(postgres.shards.map((shard) => shard.start()));
    postgres.save();
    return postgres;
  }

  get servers(): Server[] {
    return this.shards.flatMap((shard) => shard.servers.map(({ server }) => server));
  }

  /** Throws where there is no shard of that name. */
  shard(name: string): Shard {
    const found = this.shards.find((each) => each.name === name);
    if (found !== undefined) return found;
    throw new Error(`no shard ${name} here: ${this.shards.map((each) => each.name).join(", ")}`);
  }

  /** See failOver. */
  failover(name: string, options: FailoverOptions, say: Say): Promise<void> {
    return failOver(this.shard(name), options, say);
  }

  /** The superuser's URL of a server, by its name. Throws where there is none. */
  adminUrl(name: string): string {
    const server = this.servers.find((each) => each.name === name);
    if (server === undefined) throw new Error(`this stack has no Postgres server ${name}`);
    return `postgres://postgres:${this.#state.secrets.superuser}@127.0.0.1:${server.port}/roost`;
  }

  /** The URLs of a shard's servers, the primary's first. */
  urls(shard: Shard): string[] {
    const { primary, servers } = shard;
    return [primary, ...servers.filter((each) => each !== primary)].map(
      ({ member }) => `postgres://roost:${this.#state.secrets.postgres}@127.0.0.1:${member.port}/roost`,
    );
  }

  /** Writes the state and the topology file, each in one step. */
  save(): void {
    saveState(this.#dataDir, this.#state);
    const shards = this.shards.map((shard) => {
      const [primary, ...replicas] = this.urls(shard);
      return { name: shard.name, primary, replicas, buckets: shard.state.buckets };
    });
    writeWhole(this.topologyFile, `${JSON.stringify({ shards }, null, 2)}\n`);
  }
}
