import { setTimeout as sleep } from "node:timers/promises";
import { limits } from "../../config/limits.ts";
import type { Gate } from "../../mixins/gate.ts";
import type { Metrics } from "../../mixins/metrics.ts";
import type { RedisStore } from "../../mixins/redis/index.ts";
import { fillSets } from "../../mixins/redis/marked-set.ts";
import { Script } from "../../mixins/redis/script.ts";
import {
  buildWindow,
  parseWindow,
  readWindows,
  type Slice,
  type Window,
} from "../../mixins/redis/windowed-list.ts";
import { partitionOf } from "../../mixins/shard-db/ids.ts";
import type { ShardDb } from "../../mixins/shard-db/index.ts";
import type { Id } from "../contracts/users.ts";
import type { Standing } from "./rules.ts";
import { buildList, pullAuthors, relationsOf } from "./timeline.repo.ts";

const READ_HOME = new Script(new URL("./lua/read-home-8.lua", import.meta.url));
const STANDING = new Script(new URL("./lua/standing-3.lua", import.meta.url));

/** How often a reader looks again while another process builds, and how long in between (ms). */
const LOOKS = 8;
const PAUSE_MS = 25;
const COUNTED_ONE_IN = 8;

interface Own {
  home: Window | undefined;
  own: Window | undefined;
  /** following, blocked, muted, pulled: which are stored. */
  stored: string;
  pulled: Id[];
}

/**
 * What Redis holds for home timelines: lists of candidates and the viewers' relations. Whatever is missing is built from
 * Postgres under a lease, a few at a time; many readers of one missing list make one build. Everything here throws
 * RedisDown where Redis is away, and 503 where too much is to be built; it answers undefined where another process has not
 * built a list in time: the reader then goes to Postgres.
 */
export class HomeCache {
  readonly #db: ShardDb;
  readonly #redis: RedisStore;
  readonly #metrics: Metrics;
  readonly #gate: Gate;
  readonly #countsReads: boolean;
  /** Builds that wait at the gate or are under way, by what they build. */
  readonly #builds = new Map<string, Promise<boolean>>();

  /** Builds pass `gate`. `countsReads`: for the fan-out policy. */
  constructor(db: ShardDb, redis: RedisStore, metrics: Metrics, gate: Gate, countsReads: boolean) {
    this.#gate = gate;
    this.#countsReads = countsReads;
    this.#db = db;
    this.#redis = redis;
    this.#metrics = metrics;
  }

  /** Whether what Redis holds may be shown. */
  get readable(): boolean {
    return this.#redis.readable;
  }

  /** A slice of all lists that make up a viewer's home timeline: the home list, their own, those of pulled authors. */
  async windows(viewer: Id, slice: Slice): Promise<Window[] | undefined> {
    const own = await this.#settle(viewer, slice);
    if (!own?.home || !own.own) return undefined;
    const pulled = await this.authorWindows(own.pulled, slice);
    return pulled && [own.home, own.own, ...pulled];
  }

  /** A slice of authors' own lists, in the order asked for. */
  async authorWindows(authors: readonly Id[], slice: Slice): Promise<Window[] | undefined> {
    const keyOf = (author: Id) => this.#redis.keys.author(author);
    for (let look = 0; look < LOOKS; look++) {
      const found =
        authors.length > 0
          ? await readWindows(this.#redis, authors.map(keyOf), slice)
          : new Map<string, Window>();
      const missing = authors.filter((author) => !found.has(keyOf(author)));
      if (missing.length === 0) return authors.flatMap((author) => found.get(keyOf(author)) ?? []);
      const built = await Promise.all(
        missing.map((author) => this.#queued(keyOf(author), () => this.#buildAuthor(author))),
      );
      if (built.includes(false)) await sleep(PAUSE_MS);
    }
    return undefined;
  }

  /** How the viewer stands to each of the authors. */
  async standing(viewer: Id, authors: readonly Id[]): Promise<Map<Id, Standing> | undefined> {
    if (authors.length === 0) return new Map();
    const { keys } = this.#redis;
    const sets = [keys.following(viewer), keys.blocked(viewer), keys.muted(viewer)];
    for (let look = 0; look < LOOKS; look++) {
      const digits = await this.#redis.run(STANDING, sets, [...authors]);
      if (typeof digits === "string" && digits !== "") {
        return new Map(authors.map((author, i) => [author, toStanding(Number(digits[i]))]));
      }
      if (!(await this.#queued(keys.following(viewer), () => this.#fillRelations(viewer)))) {
        await sleep(PAUSE_MS);
      }
    }
    return undefined;
  }

  async #settle(viewer: Id, slice: Slice): Promise<Own | undefined> {
    for (let look = 0; look < LOOKS; look++) {
      const own = await this.#read(viewer, slice);
      if (own.home && own.own && own.stored === "1111") return own;
      const built = await this.#queued(this.#redis.keys.home(viewer), () => this.#build(viewer, own));
      if (!built) await sleep(PAUSE_MS);
    }
    return undefined;
  }

  async #read(viewer: Id, slice: Slice): Promise<Own> {
    const { keys } = this.#redis;
    const lists = [
      keys.home(viewer),
      keys.author(viewer),
      keys.following(viewer),
      keys.blocked(viewer),
      keys.muted(viewer),
      keys.pulled(partitionOf(viewer)),
      keys.reads(viewer),
      keys.readsSince(partitionOf(viewer)),
    ];
    // The first page stands for the read. One in so many is counted, as so many: it costs next to nothing that way.
    const times = Math.random() * COUNTED_ONE_IN < 1 ? COUNTED_ONE_IN : 0;
    const answer = await this.#redis.run(READ_HOME, lists, [
      slice.before ?? "",
      slice.count,
      this.#countsReads && !slice.before ? times : "",
      Date.now() / 1_000,
      limits.fanout.memoryS,
    ]);
    const parts: unknown[] = Array.isArray(answer) ? answer : [];
    const pulled = parts[7];
    return {
      home: parseWindow(parts.slice(0, 3)),
      own: parseWindow(parts.slice(3, 6)),
      stored: String(parts[6]),
      pulled: typeof pulled === "string" && pulled !== "" ? pulled.split(",") : [],
    };
  }

  /** A build when its turn comes; the one that is on its way already, if any (after Go's singleflight). */
  #queued(name: string, build: () => Promise<boolean>): Promise<boolean> {
    const known = this.#builds.get(name);
    if (known) return known;
    const queued = this.#gate.run(build).finally(() => this.#builds.delete(name));
    this.#builds.set(name, queued);
    return queued;
  }

  /**
   * Builds what is missing, one after the other: a build never takes more than one connection to a shard. Returns false
   * where another process is at some of it.
   */
  async #build(viewer: Id, { home, own, stored }: Own): Promise<boolean> {
    const builtHome = home !== undefined || (await this.#buildHome(viewer));
    const builtOwn = own !== undefined || (await this.#buildAuthor(viewer));
    const filledRelations = stored.startsWith("111") || (await this.#fillRelations(viewer));
    const filledPulled = stored.endsWith("1") || (await this.#fillPulled(partitionOf(viewer)));
    return builtHome && builtOwn && filledRelations && filledPulled;
  }

  async #buildHome(viewer: Id): Promise<boolean> {
    const outcome = await buildWindow(this.#redis, this.#redis.keys.home(viewer), async () => {
      const { following } = await relationsOf(this.#db, viewer);
      return buildList(this.#db, following);
    });
    this.#metrics.homeBuilds.inc({ outcome });
    return outcome !== "building";
  }

  async #buildAuthor(author: Id): Promise<boolean> {
    const key = this.#redis.keys.author(author);
    return (await buildWindow(this.#redis, key, () => buildList(this.#db, [author]))) !== "building";
  }

  #fillPulled(partition: number): Promise<boolean> {
    return fillSets(this.#redis, [this.#redis.keys.pulled(partition)], async () => [
      await pullAuthors(this.#db),
    ]);
  }

  #fillRelations(viewer: Id): Promise<boolean> {
    const { keys } = this.#redis;
    return fillSets(
      this.#redis,
      [keys.following(viewer), keys.blocked(viewer), keys.muted(viewer)],
      async () => {
        const { following, blocked, muted } = await relationsOf(this.#db, viewer);
        return [following, blocked, muted];
      },
    );
  }
}

/** Reads a digit of the standing script. */
function toStanding(digit: number): Standing {
  return { followed: (digit & 1) !== 0, blocked: (digit & 2) !== 0, muted: (digit & 4) !== 0 };
}
