import { performance } from "node:perf_hooks";
import { unavailable } from "../../services/contracts/errors.ts";
import { Periodic } from "../periodic.ts";
import { within } from "../within.ts";
import type { PoolOptions } from "./pools.ts";
import { rolesOf } from "./roles.ts";
import {
  chooseReplica,
  type Excuse,
  LOOK_GOOD_FOR_MS,
  MARGIN_MS,
  Positions,
  type Standing,
  standingAfter,
} from "./rotation.ts";
import { type Look, ShardServer, type WalPosition } from "./server.ts";
import type { SessionView } from "./session.ts";

const LOOK_EVERY_MS = 250;
/** While nobody is in charge. */
const LOOK_OFTEN_MS = 100;
/** How long is waited for servers to say who is in charge, in ms. */
const FOUND_WITHIN_MS = 1_000;

export interface ShardOptions extends PoolOptions {
  /** A replica that is further behind serves no reads, in ms. */
  maxLagMs: number;
  /** Of the map that this process routes by. */
  epoch: () => number;
  /** Told of every look at the primary. */
  onLook: (shard: Shard, look: Look) => void;
}

export interface ReplicaState {
  /** host:port, without credentials. */
  address: string;
  inRotation: boolean;
  lagBytes: number;
  lagSeconds: number;
}

interface Seat {
  server: ShardServer;
  readonly look: Look | undefined;
  looking: Periodic;
  /** As of the latest look. */
  standing: Standing;
}

/** Who answers a read, and why it is not a replica. */
export interface Reader {
  server: ShardServer;
  isReplica: boolean;
  excuse?: Excuse | "leaving" | "new";
  /** The replica has to be asked whether it has replayed that much. */
  unlessBelow?: number;
  /** What is seen there has to be kept, up to a position on this timeline. */
  marksOn?: number;
}

/**
 * The servers of one shard. Which of them is the primary is found out by asking, four times a second: so it is found again
 * after a failover, and while there is none the shard answers 503 at once (that is its breaker).
 */
export class Shard {
  readonly name: string;
  readonly #options: ShardOptions;
  readonly #positions: Positions;
  #seats: Seat[] = [];
  #primary: Seat | undefined;
  #timeline = 0;
  #movedAt = 0;
  #turn = 0;

  constructor(name: string, urls: readonly string[], options: ShardOptions) {
    this.name = name;
    this.#options = options;
    this.#positions = new Positions(options.maxLagMs);
    this.setServers(urls);
  }

  /** Looks at every server once, and from then on every so often. Never throws. */
  async open(): Promise<void> {
    await Promise.all(this.#seats.map((seat) => this.#lookAt(seat)));
    for (const { looking } of this.#seats) looking.start();
  }

  async close(): Promise<void> {
    await Promise.all(this.#seats.map(leave));
  }

  /** Which servers the shard has from now on, by their URLs. */
  setServers(urls: readonly string[]): void {
    const known = new Map(this.#seats.map((seat) => [seat.server.url, seat]));
    const wanted = [...new Set(urls)];
    const added = wanted.filter((url) => !known.has(url)).map((url) => this.#seatFor(url));
    const gone = this.#seats.filter(({ server }) => !wanted.includes(server.url));
    if (this.#seats.length > 0) for (const { looking } of added) looking.start();
    this.#seats = [...this.#seats.filter((seat) => !gone.includes(seat)), ...added];
    if (this.#primary && gone.includes(this.#primary)) this.#primary = undefined;
    for (const seat of gone) void leave(seat);
  }

  /** The server that takes writes, with what it last said. Throws 503 where there is none. */
  get primary(): { server: ShardServer; look: Look } {
    const { server, look } = this.#primary ?? {};
    if (!server || !look) throw unavailable(`Database shard ${this.name}`);
    return { server, look };
  }

  /**
   * The same, looked at lately: a process that stood still, or was cut off, asks who is in charge before it relies on who was.
   * Throws 503.
   */
  async primaryNow(): Promise<{ server: ShardServer; look: Look }> {
    if (isOld(this.primary.look)) await this.findsAnother();
    return this.primary;
  }

  get hasPrimary(): boolean {
    return this.#primary?.look !== undefined;
  }

  /** The highest that anybody knows of. */
  get timeline(): number {
    return this.#timeline;
  }

  get hasReplicas(): boolean {
    return this.#seats.length > 1;
  }

  /**
   * Whether a read on the primary has to look at the epoch too: buckets may leave, or have left by a map that is not known
   * here yet, or it was not heard of for a while.
   */
  get isInFlux(): boolean {
    const look = this.#primary?.look;
    return !look || look.leaving || look.epoch !== this.#options.epoch() || isOld(look);
  }

  /** Buckets came to this shard: until replicas have all that came with them, the primary answers. */
  gainedBuckets(): void {
    this.#movedAt = performance.now();
  }

  /** Asks every server again, now; whether another one is in charge then. Bounded; never throws. */
  async findsAnother(): Promise<boolean> {
    const before = this.#primary;
    const isAnother = () => this.hasPrimary && this.#primary !== before;
    const found = Promise.withResolvers<void>();
    const looks = this.#seats.map((seat) => this.#lookAt(seat).then(() => isAnother() && found.resolve()));
    await Promise.race([found.promise, within(FOUND_WITHIN_MS, Promise.all(looks)).catch(() => {})]);
    return isAnother();
  }

  /** Who answers for what never changes: a replica in rotation, in turn; else the primary. Throws 503. */
  readerForAnyone(): Reader {
    const fit =
      this.isInFlux && this.hasPrimary
        ? []
        : this.#seats.filter((seat) => seat !== this.#primary && this.#standingNow(seat).inRotation);
    const seat = fit[this.#turn++ % Math.max(1, fit.length)];
    return seat
      ? { server: seat.server, isReplica: true }
      : { server: this.primary.server, isReplica: false, excuse: "none" };
  }

  /** Who answers a session, so that it sees its own writes and never goes back in time. Throws 503. */
  readerFor(session: SessionView): Reader {
    const fromPrimary = (excuse: NonNullable<Reader["excuse"]>): Reader => ({
      server: this.primary.server,
      isReplica: false,
      excuse,
    });
    if (session.isNew) return fromPrimary("new");
    if (this.isInFlux && this.hasPrimary) return fromPrimary("leaving");
    const others = this.#seats
      .filter((seat) => seat !== this.#primary)
      .map((seat) => ({ ...this.#standingNow(seat), server: seat.server }));
    const floor = { seen: session.floor(this.name), timeline: this.#timeline, movedAt: this.#movedAt };
    const clock = { now: performance.now(), settleMs: this.#options.maxLagMs + MARGIN_MS };
    const choice = chooseReplica(session.key, others, floor, clock);
    if ("excuse" in choice) return fromPrimary(choice.excuse);
    const { replica, unlessBelow, marks } = choice;
    const { server } = replica;
    return { server, isReplica: true, unlessBelow, ...(marks ? { marksOn: this.#timeline } : {}) };
  }

  /** Resolves once every replica in rotation has replayed up to here; none is further behind than the greatest lag. */
  async isEverywhere({ position }: WalPosition): Promise<void> {
    const behind = () =>
      this.#seats.some(({ standing }) => standing.inRotation && standing.replayed < position);
    const until = performance.now() + this.#options.maxLagMs + MARGIN_MS;
    while (behind() && performance.now() < until) await new Promise((done) => setTimeout(done, 20));
  }

  /** How each replica stands. */
  states(): ReplicaState[] {
    const now = performance.now();
    return this.#seats
      .filter((seat) => seat !== this.#primary)
      .map((seat) => this.#standingNow(seat))
      .map(({ address, inRotation, lagBytes, freshAsOf }) => ({
        address,
        inRotation,
        lagBytes,
        lagSeconds: (now - freshAsOf) / 1_000,
      }));
  }

  #seatFor(url: string): Seat {
    const server = new ShardServer(url, this.#options);
    const seat: Seat = {
      server,
      get look() {
        return server.look;
      },
      standing: {
        address: server.address,
        inRotation: false,
        changedAt: performance.now(),
        freshAsOf: performance.now(),
        replayed: 0,
        lagBytes: 0,
      },
      looking: new Periodic(
        () => (this.hasPrimary ? LOOK_EVERY_MS : LOOK_OFTEN_MS),
        () => this.#lookAt(seat),
      ),
    };
    return seat;
  }

  async #lookAt(seat: Seat): Promise<void> {
    await seat.server.ask();
    this.#judge();
    const { look } = seat;
    if (look && seat === this.#primary) {
      this.#positions.add(look.askedAt, look.position);
      this.#options.onLook(this, look);
    }
    this.#measure(seat);
  }

  /** Who is in charge, by what all servers said last. */
  #judge(): void {
    const before = { primary: this.#primary, timeline: this.#timeline };
    const { primary, timeline, deposed } = rolesOf(this.name, this.#seats, before);
    if (primary !== before.primary || timeline !== before.timeline) this.#positions.clear();
    this.#primary = primary;
    this.#timeline = timeline;
    for (const { server } of deposed) void depose(server, timeline);
  }

  /** Compares a server with the primary; where that is away, nothing changes. */
  #measure(seat: Seat): void {
    if (!this.hasPrimary) return;
    const { look } = seat;
    const follows = look?.role === "replica" && look.shard === this.name && look.timeline === this.#timeline;
    const replayed = follows ? look.position : undefined;
    const { maxLagMs } = this.#options;
    const positions = this.#positions;
    seat.standing = standingAfter(seat.standing, { now: performance.now(), maxLagMs, replayed, positions });
  }

  /** One that was not looked at lately has left the rotation, as far as this process can tell. */
  #standingNow({ look, standing }: Seat): Standing {
    const now = performance.now();
    const isHeardOf = look && (!this.hasPrimary || (look.timeline === this.#timeline && !isOld(look)));
    return isHeardOf || !standing.inRotation ? standing : { ...standing, inRotation: false, changedAt: now };
  }
}

const isOld = ({ askedAt }: Look): boolean => performance.now() - askedAt > LOOK_GOOD_FOR_MS;

async function leave({ looking, server }: Seat): Promise<void> {
  await Promise.all([looking.stop(), server.close()]);
}

/**
 * Marks a server in its own tables: it refuses every write from then on, whoever asks. Its standbys may follow another
 * server by now: the mark waits for none.
 */
async function depose({ read }: ShardServer, timeline: number): Promise<void> {
  await read
    .query(
      `WITH alone AS MATERIALIZED (SELECT set_config('synchronous_commit', 'local', true))
       UPDATE placement SET deposed_by = $1 FROM alone WHERE deposed_by IS NULL AND wal_timeline() < $1`,
      [timeline],
    )
    .catch(() => {});
}
