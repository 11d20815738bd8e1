import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import pg from "pg";
import type { BucketRange } from "../../config/topology.ts";
import { bucketOf } from "../../mixins/shard-db/ids.ts";
import { moveBuckets } from "../../services/operator/shards/move.ts";
import { type OnMove, WAITS } from "../../services/operator/shards/moving.ts";
import { ShardServers } from "../../services/operator/shards/servers.ts";
import { settleAll } from "../../services/operator/shards/settle.ts";
import { bucketSql, FORGOTTEN, PLACED } from "../../services/operator/shards/tables.ts";
import { eventually } from "./roost.ts";
import type { TestShards } from "./servers.ts";

/** No time is left to the nodes. */
const AT_ONCE = { ...WAITS, announced: 0, readers: 0 };
const SCRIPT = new URL("mover.ts", `file://${__filename}`).pathname;

interface Abort {
  accept?: boolean;
  onMove?: OnMove;
  /** Called once nobody else moves buckets. */
  onExcluded?: () => Promise<void>;
}

/** The shards of a test as a mover leaves them. */
export class MovedShards {
  readonly #shards: TestShards;
  readonly #clients = new Map<string, pg.Client>();

  private constructor(shards: TestShards) {
    this.#shards = shards;
  }

  static async of(shards: TestShards): Promise<MovedShards> {
    const moved = new MovedShards(shards);
    for (const { name, primary } of shards.topology.shards) {
      const client = new pg.Client(primary);
      await client.connect();
      moved.#clients.set(name, client);
    }
    return moved;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#clients.values()].map((client) => client.end()));
  }

  /** Puts in order what was left and moves a range, with no time left to the nodes. Returns the pauses. */
  async move(range: BucketRange, to: string): Promise<number[]> {
    const servers = await ShardServers.find(this.#shards.topology);
    try {
      await servers.exclude();
      await settleAll(servers, () => {}, { waits: AT_ONCE });
      return await moveBuckets(servers, { range, to, onMove: () => {}, waits: AT_ONCE });
    } finally {
      await servers.close();
    }
  }

  /** The same in a process of its own that is killed: at a step, or after ms. Returns the pauses where it came to its end before. */
  async killedMover(
    [first, last]: BucketRange,
    to: string,
    dies: string | number,
  ): Promise<number[] | undefined> {
    const args = [this.#shards.topologyFile, String(first), String(last), to];
    const child = spawn("node", [SCRIPT, ...args, ...(typeof dies === "string" ? [dies] : [])], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, NODE_OPTIONS: "" },
    });
    const timer = typeof dies === "number" ? setTimeout(() => child.kill("SIGKILL"), dies) : undefined;
    const said: string[] = [];
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => said.push(String(text)));
    const [code, signal] = await once(child, "close");
    clearTimeout(timer);
    if (signal === "SIGKILL") return undefined;
    if (code !== 0) throw new Error(`the mover ended with ${code}: ${said.join("")}`);
    return JSON.parse(said.join(""));
  }

  /** Runs a mover that stops itself when a step begins; calls `meanwhile`, then lets it go on. Returns the pauses. */
  async stoppedMover(
    [first, last]: BucketRange,
    to: string,
    step: string,
    meanwhile: () => Promise<void>,
  ): Promise<number[]> {
    const args = [this.#shards.topologyFile, String(first), String(last), to, step, "SIGSTOP"];
    const child = spawn("node", [SCRIPT, ...args], { stdio: ["ignore", "pipe", "inherit"] });
    const said: string[] = [];
    child.stdout.on("data", (text) => said.push(String(text)));
    try {
      const stopped = () =>
        readFileSync(`/proc/${child.pid}/stat`, "utf8").split(") ")[1]?.startsWith("T") ?? false;
      await eventually(stopped, `a mover that stops at ${step}`);
      await meanwhile();
    } finally {
      child.kill("SIGCONT");
    }
    await once(child, "close");
    return JSON.parse(said.join(""));
  }

  /** What `npm run shards -- abort` does. */
  async abort({
    accept = false,
    onMove = () => {},
    onExcluded = async () => {},
  }: Abort = {}): Promise<string[]> {
    const servers = await ShardServers.find(this.#shards.topology);
    try {
      await servers.exclude();
      await onExcluded();
      const waits = { ...AT_ONCE, arrival: 500 };
      return (await settleAll(servers, onMove, { accept, waits })).map(({ outcome }) => outcome);
    } finally {
      await servers.close();
    }
  }

  async rows<Row extends object>(shard: string, text: string, values: unknown[] = []): Promise<Row[]> {
    return (await this.#clients.get(shard)?.query<Row>(text, values))?.rows ?? [];
  }

  /** The ids of all tweets, by shard. */
  async tweets(): Promise<string[]> {
    const found = await Promise.all(
      [...this.#clients.keys()].map((shard) => this.rows<{ id: string }>(shard, "SELECT id FROM tweets")),
    );
    return found.flat().map(({ id }) => id);
  }

  /** The shard that has a bucket, as all shards say. Fails where they do not agree. */
  async ownerOf(bucket: number): Promise<string> {
    const owners: string[] = [];
    for (const shard of this.#clients.keys()) {
      const [row] = await this.rows<{ owns: boolean; epoch: string }>(
        shard,
        "SELECT owns($1), epoch FROM placement",
        [bucket],
      );
      if (row?.owns) owners.push(shard);
    }
    expect(owners).toHaveLength(1);
    return owners[0] ?? "";
  }

  /** Fails where anything of a move is left: rows of buckets that a shard does not own, replication, what was announced. */
  async expectNothingLeft(): Promise<void> {
    const astray = [...PLACED, ...FORGOTTEN].map(
      (table) =>
        `SELECT '${table.name}' AS table FROM ${table.name} WHERE NOT owns(${bucketSql(table)}::int)`,
    );
    const epochs = new Set<string>();
    for (const shard of this.#clients.keys()) {
      expect(await this.rows(shard, astray.join(" UNION ALL "))).toEqual([]);
      expect(
        await this.rows(
          shard,
          `SELECT subname FROM pg_subscription
           WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
           UNION ALL SELECT slot_name FROM pg_replication_slots WHERE database = current_database()
           UNION ALL SELECT pubname FROM pg_publication UNION ALL SELECT move FROM move_markers
           UNION ALL SELECT move FROM move_arrivals UNION ALL SELECT id FROM moves WHERE ended_at IS NULL
           UNION ALL SELECT leaving::text FROM placement WHERE leaving <> '{}'`,
        ),
      ).toEqual([]);
      const [row] = await this.rows<{ epoch: string }>(shard, "SELECT epoch FROM placement");
      epochs.add(row?.epoch ?? "none");
    }
    expect(epochs.size).toBe(1);
  }
}

/** Whether an id is in a range of buckets. */
export const within = ([first, last]: BucketRange, id: string): boolean =>
  bucketOf(id) >= first && bucketOf(id) <= last;
