import { existsSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "pg";
import { PHASE } from "../processes.ts";
import type { Server } from "../server.ts";
import type { ShardState, State } from "../state.ts";
import type { Supervisor } from "../supervisor.ts";
import {
  currentPosition,
  hasReplayed,
  keepSlots,
  makeDatabase,
  reload,
  streamingStandbys,
  withAdmin,
} from "./admin.repo.ts";
import { copyLive } from "./base-backup.ts";
import type { Identity } from "./identity.ts";
import {
  configure,
  exists,
  initialise,
  isStandby,
  type Member,
  removeStalePidFile,
  serverName,
  serverOf,
  timelineOf,
  unmarkStandby,
} from "./member.ts";
import { assignRoles } from "./roles.ts";
import { settingsOf, slotOf } from "./settings.ts";

/** What all shards of a stack have in common. */
export interface PostgresContext {
  identity: Identity;
  supervisor: Supervisor;
  state: State;
  logDir: string;
  sharedBuffers: string;
  /** Gives a member a port of its own. */
  portOf(id: string): Promise<number>;
  /** Takes care of a server that was started after the stack had come up. */
  watch(server: Server): void;
  /** Writes down who is there, and who the primaries are. */
  save(): void;
}

/** One server of a shard, with its directory. */
export interface ShardServer {
  member: Member;
  server: Server;
  /** A former primary that a failover left as it was: it follows nobody. */
  stray?: boolean;
}

const STREAMING_BOUND_MS = 60_000;
const POLL_MS = 30;

/** A primary and its streaming standbys. Which is which is in `state`, and changes with a failover. */
export class Shard {
  readonly state: ShardState;
  readonly context: PostgresContext;
  readonly servers: ShardServer[] = [];

  constructor(state: ShardState, context: PostgresContext) {
    this.state = state;
    this.context = context;
  }

  get name(): string {
    return this.state.name;
  }

  get primary(): ShardServer {
    const found = this.servers.find(({ member }) => member.id === this.state.primary);
    if (found === undefined) throw new Error(`shard ${this.name} has no primary`);
    return found;
  }

  get standbys(): ShardServer[] {
    return this.servers.filter(({ member, stray }) => member.id !== this.state.primary && !stray);
  }

  /**
   * Brings the shard up from its members' directories, making those that are missing. After a promotion in an earlier
   * run the promoted server stays the primary, and the others are copied from it anew.
   */
  async start(): Promise<void> {
    const { identity, state } = this.context;
    for (const id of this.state.members) await this.#adopt(id);
    this.#removeFormerMembers();
    for (const { member } of this.servers) removeStalePidFile(member);
    const { primary: id, stale } = assignRoles(
      this.servers.map(({ member }) => found(member)),
      this.state.primary,
    );
    this.state.primary = id;
    const { primary, standbys } = this;
    if (exists(primary.member)) unmarkStandby(primary.member);
    else await initialise(primary.member, identity, state.secrets.superuser);
    this.configure(primary);
    primary.server.setPhase(PHASE.backends);
    await primary.server.start();
    await this.onPrimary(async (client) => {
      await keepSlots(client, this.slots());
      await makeDatabase(client, state.secrets.postgres);
    });
    const stopped = standbys.filter(({ member }) => !stale.includes(member.id));
    await Promise.all([
      ...stopped.map((standby) => this.#startStandby(standby)),
      ...standbys.filter((each) => !stopped.includes(each)).map((standby) => this.copyAndStart(standby)),
    ]);
    await this.untilStreaming(standbys);
  }

  /** Adds a standby, copied from the running primary, and waits until it follows. Answers its server. */
  async addStandby(say: (line: string) => void): Promise<Server> {
    const added = await this.#adopt(this.#unusedId());
    try {
      await this.onPrimary((client) => keepSlots(client, this.slots()));
      say(`copying ${this.primary.server.name} to ${added.server.name}`);
      await this.copyAndStart(added);
      await this.untilStreaming([added]);
    } catch (error) {
      await this.discard(added);
      throw error;
    }
    this.state.members.push(added.member.id);
    this.context.watch(added.server);
    await this.reconfigure();
    return added.server;
  }

  /**
   * Stops a standby and removes its data; `announce` is called once it is a member no more, and before it ends. Throws
   * where that is the primary.
   */
  async removeStandby(name: string, announce: () => Promise<void>): Promise<void> {
    const found = this.standbys.find(({ server }) => server.name === name);
    if (found === undefined) throw new Error(`${name} is the primary of ${this.name}: fail over first`);
    if (this.context.state.sync && this.standbys.length < 3)
      throw new Error(`${this.name} is synchronous and needs two replicas`);
    this.forget(found);
    await this.reconfigure();
    await announce();
    await this.discard(found);
    await this.onPrimary((client) => keepSlots(client, this.slots()));
  }

  /** Copies the running primary into a standby that is not running, and starts it. */
  async copyAndStart(standby: ShardServer): Promise<void> {
    const { identity, state } = this.context;
    await copyLive(this.primary.member, standby.member, { identity, password: state.secrets.superuser });
    await this.#startStandby(standby);
  }

  /** Stops all servers of the shard and removes their data. */
  async remove(): Promise<void> {
    for (const each of [this.primary, ...this.standbys]) await this.discard(each);
  }

  /** A member that is none any more. */
  forget({ member }: ShardServer): void {
    this.state.members = this.state.members.filter((id) => id !== member.id);
    this.servers.splice(
      this.servers.findIndex((each) => each.member.id === member.id),
      1,
    );
  }

  /** Stops a server and removes its data. */
  async discard(discarded: ShardServer): Promise<void> {
    const { member, server } = discarded;
    await server.fence();
    if (this.servers.includes(discarded)) this.forget(discarded);
    rmSync(member.directory, { recursive: true, force: true });
  }

  /** Moves a stopped server's data to where nothing starts from it; answers where that is. The next start removes "old". */
  setAside({ member }: ShardServer, as: "old" | "deposed"): string {
    const aside = `${member.directory}.${as}`;
    rmSync(aside, { recursive: true, force: true });
    renameSync(member.directory, aside);
    return aside;
  }

  /** Writes the settings of a server as its place in the shard wants them. */
  configure({ member }: ShardServer): void {
    const { identity, state, sharedBuffers } = this.context;
    const members = this.servers.map((each) => each.member);
    const place = {
      member,
      others: members.filter((each) => each !== member),
      primary: member.id === this.state.primary ? undefined : this.primary.member,
    };
    const settings = { password: state.secrets.postgres, sharedBuffers, sync: state.sync };
    configure(member, identity, settingsOf(place, settings));
  }

  /** The same for all servers, which read them at once where they run; the others when they start. */
  async reconfigure(): Promise<void> {
    const servers = [this.primary, ...this.standbys];
    for (const each of servers) if (exists(each.member)) this.configure(each);
    await Promise.allSettled(servers.map((each) => this.on(each, reload)));
  }

  /** Waits until standbys stream from the primary and have replayed what it held by then. Throws after a minute. */
  async untilStreaming(standbys: ShardServer[], boundMs = STREAMING_BOUND_MS): Promise<void> {
    if (standbys.length === 0) return;
    const deadline = Date.now() + boundMs;
    const until = async (holds: () => Promise<boolean>) => {
      while (!(await holds())) {
        if (Date.now() > deadline)
          throw new Error(`shard ${this.name}: its replicas do not follow within ${boundMs / 1000} s`);
        await sleep(POLL_MS);
      }
    };
    const position = await this.onPrimary(async (client) => {
      await until(async () => {
        const streaming = await streamingStandbys(client);
        return standbys.every(({ server }) => streaming.includes(server.name));
      });
      return currentPosition(client);
    });
    await Promise.all(
      standbys.map((standby) =>
        this.on(standby, (client) => until(() => hasReplayed(client, position)), boundMs),
      ),
    );
  }

  /** Runs something as the superuser of one server. Throws where it does not answer (see withAdmin). */
  on<T>({ member }: ShardServer, use: (client: Client) => Promise<T>, queryBoundMs?: number): Promise<T> {
    return withAdmin(member, this.context.state.secrets.superuser, use, queryBoundMs);
  }

  onPrimary<T>(use: (client: Client) => Promise<T>): Promise<T> {
    return this.on(this.primary, use);
  }

  /** The slots that the primary keeps. */
  slots(): string[] {
    return this.standbys.map(({ member }) => slotOf(member));
  }

  async #startStandby(standby: ShardServer): Promise<void> {
    this.configure(standby);
    standby.server.setPhase(PHASE.postgresStandby);
    await standby.server.start();
  }

  async #adopt(id: string): Promise<ShardServer> {
    const { identity, supervisor, logDir } = this.context;
    const member = {
      id,
      directory: join(identity.home, id),
      port: await this.context.portOf(serverName(id)),
    };
    const adopted = { member, server: serverOf(member, { identity, supervisor, logDir }) };
    this.servers.push(adopted);
    return adopted;
  }

  /**
   * Removes what was cut off, and former members: a standby without a slot may have missed what it can no longer get, so it
   * is copied anew when it is wanted again.
   */
  #removeFormerMembers(): void {
    const former = this.#directories("(\\.old|\\.new)?").filter((name) => !this.state.members.includes(name));
    for (const name of former) rmSync(join(this.context.identity.home, name), { recursive: true });
  }

  #unusedId(): string {
    const used = new Set([...this.state.members, ...this.#directories()]);
    for (let n = 0; ; n++) if (!used.has(`${this.name}-${n}`)) return `${this.name}-${n}`;
  }

  /** The names of the shard's directories, with these endings. */
  #directories(ending = ""): string[] {
    const { home } = this.context.identity;
    const ours = new RegExp(`^${this.name}-\\d+${ending}$`);
    return existsSync(home) ? readdirSync(home).filter((name) => ours.test(name)) : [];
  }
}

function found(member: Member) {
  const isThere = exists(member);
  return {
    id: member.id,
    exists: isThere,
    standby: isStandby(member),
    timeline: isThere ? timelineOf(member) : 0,
  };
}
