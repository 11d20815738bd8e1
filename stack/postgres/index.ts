import { join } from "node:path";
import { newShard } from "../plan.ts";
import type { Server } from "../server.ts";
import { assignPorts, type State, saveState, writeWhole } from "../state.ts";
import { pidOf, type ServerStatus } from "../status.ts";
import type { Supervisor } from "../supervisor.ts";
import { standingOf } from "./admin.repo.ts";
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

  /** Adds a standby to a shard. Answers the name of its server. */
  async addReplica(name: string, say: Say): Promise<string> {
    return (await this.shard(name).addStandby(say)).name;
  }

  /** The shard that a server is of. Throws where there is no such server. */
  ownerOf(name: string): Shard {
    const owner = this.shards.find(({ servers }) => servers.some(({ server }) => server.name === name));
    if (owner === undefined) throw new Error(`no Postgres server ${name} here`);
    return owner;
  }

  /**
   * Stops a standby and removes its data; `announce` is called once it is in the state and the topology file no more, and
   * before it ends. Throws where there is none of that name, or the shard cannot do without.
   */
  removeReplica(name: string, announce: () => Promise<void>): Promise<void> {
    return this.ownerOf(name).removeStandby(name, async () => {
      this.save();
      await announce();
    });
  }

  /** Adds an empty shard that has no buckets. Throws where there is one of that name. */
  async addShard(name: string, replicas: number): Promise<void> {
    if (!/^[a-z0-9_-]{1,32}$/.test(name)) throw new Error(`${name}: expected 1-32 of a-z, 0-9, _ and -`);
    if (this.shards.some((shard) => shard.name === name)) throw new Error(`there is a shard ${name} already`);
    if (this.#state.sync && replicas < 2)
      throw new Error("every shard is synchronous and needs two replicas");
    const shard = new Shard(newShard(name, [], replicas), this.#context);
    try {
      await shard.start();
    } catch (error) {
      await shard.remove();
      throw error;
    }
    for (const { server } of shard.servers) this.#context.watch(server);
    this.shards.push(shard);
    this.#state.shards.push(shard.state);
  }

  /** Stops the servers of a shard and removes their data. Throws where it is the only one. */
  async removeShard(name: string): Promise<void> {
    const shard = this.shard(name);
    if (this.shards.length === 1) throw new Error(`${name} is the only shard`);
    this.shards.splice(this.shards.indexOf(shard), 1);
    this.#state.shards = this.#state.shards.filter((each) => each !== shard.state);
    // Where it began says nothing any more, but every bucket has to begin somewhere.
    this.shards[0]?.state.buckets.push(...shard.state.buckets);
    this.save();
    await shard.remove();
  }

  /** How every server stands, by what it answers now. */
  async status(): Promise<ServerStatus[]> {
    const shards = await Promise.all(this.shards.map((shard) => this.#statusOf(shard)));
    return shards.flat();
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

  async #statusOf(shard: Shard): Promise<ServerStatus[]> {
    const { superuser } = this.#state.secrets;
    const answers = await Promise.allSettled(
      shard.servers.map(({ member }) => standingOf(member, superuser)),
    );
    const standings = answers.map((answer) => (answer.status === "fulfilled" ? answer.value : undefined));
    const written = standings.reduce((most, each) => (each && each.bytes > most ? each.bytes : most), 0n);
    return shard.servers.map(({ server }, index) => {
      const standing = standings[index];
      return {
        name: server.name,
        shard: shard.name,
        role: standing?.role ?? "does not answer",
        timeline: standing?.timeline,
        position: standing?.position,
        lagBytes: standing && Number(written - standing.bytes),
        port: server.port,
        pid: pidOf(server),
      };
    });
  }

  /** The same of every shard, by its name. */
  allUrls(): Map<string, string[]> {
    return new Map(this.shards.map((shard) => [shard.name, this.urls(shard)]));
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
