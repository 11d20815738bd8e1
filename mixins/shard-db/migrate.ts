import { hash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import type pg from "pg";
import type { ShardConfig, Topology } from "../../config/topology.ts";
import { connectPrimary } from "./find-primary.ts";
import { scatter } from "./scatter.ts";

const FOLDER = new URL("../../migrations/", import.meta.url);
const LOCK = 7_072_001;

export interface Migration {
  version: number;
  name: string;
  sql: string;
  checksum: string;
}

export interface ShardSchema {
  shard: string;
  applied: number[];
  pending: number[];
  /** Versions whose file differs from what was applied. */
  edited: number[];
}

export class MigrationError extends Error {
  override name = "MigrationError";
}

/** The migrations of this checkout, in order. Throws MigrationError where the numbering has a gap. */
export function migrations(folder: URL = FOLDER): Migration[] {
  const files = readdirSync(folder)
    .filter((file) => /^\d{4}_\w+\.sql$/.test(file))
    .sort();
  return files.map((name, i) => {
    const version = Number(name.slice(0, 4));
    if (version !== i + 1) throw new MigrationError(`migrations/${name}: expected number ${i + 1}`);
    const text = readFileSync(new URL(name, folder), "utf8");
    return { version, name, sql: text, checksum: hash("sha256", text, "hex") };
  });
}

/**
 * Brings every shard to the newest schema, all shards at once, each under an advisory lock; each migration is one
 * transaction, so a run that was cut off resumes. Seeds the shard map where a shard has none. Throws MigrationError
 * where a migration that was applied has been edited since.
 */
export async function migrate(
  topology: Topology,
  onProgress: (line: string) => void = () => {},
): Promise<void> {
  const known = migrations();
  await scatter(topology.shards, 16, (shard) =>
    withClient(shard, async (client) => {
      await client.query("SELECT pg_advisory_lock($1)", [LOCK]);
      const state = await inspect(client, shard.name, known);
      refuseEdited(state, known);
      for (const migration of known.filter(({ version }) => state.pending.includes(version))) {
        await apply(client, migration);
        onProgress(`${shard.name}: ${migration.name}`);
      }
      await seedPlacement(client, shard, topology);
    }),
  );
}

/** What each shard has and lacks. Throws where a shard cannot be reached. */
export function migrationStatus(topology: Topology): Promise<ShardSchema[]> {
  const known = migrations();
  return scatter(topology.shards, 16, (shard) =>
    withClient(shard, (client) => inspect(client, shard.name, known)),
  );
}

/**
 * Throws MigrationError unless every shard that answers has at least the schema of this checkout (a newer one is fine: rolling
 * upgrades), and where none answers. A shard that is away keeps no process from starting.
 */
export async function requireCurrentSchema(topology: Topology): Promise<void> {
  const known = migrations();
  const asked = await Promise.allSettled(
    topology.shards.map((shard) => withClient(shard, (client) => inspect(client, shard.name, known))),
  );
  const answers = asked.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
  const [away] = asked.flatMap((answer) => (answer.status === "rejected" ? answer : []));
  if (away && answers.length === 0) throw away.reason;
  for (const state of answers) {
    refuseEdited(state, known);
    if (state.pending.length > 0) {
      throw new MigrationError(
        `shard ${state.shard} lacks migrations ${state.pending.join(", ")}: run \`npm run migrate\` first`,
      );
    }
  }
}

function refuseEdited(state: ShardSchema, known: Migration[]): void {
  const [edited] = state.edited;
  if (edited !== undefined) {
    const name = known.find(({ version }) => version === edited)?.name ?? `number ${edited}`;
    throw new MigrationError(
      `shard ${state.shard}: migration ${name} was applied in another form: add a new migration instead of editing one`,
    );
  }
}

async function withClient<T>(shard: ShardConfig, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = await connectPrimary(shard).catch((error: unknown) => {
    throw new MigrationError(Error.isError(error) ? error.message : String(error));
  });
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

async function inspect(client: pg.Client, shard: string, known: Migration[]): Promise<ShardSchema> {
  const exists = await client.query("SELECT to_regclass('schema_migrations') IS NOT NULL AS yes");
  const applied = exists.rows[0]?.yes
    ? (
        await client.query<{ version: number; checksum: string }>(
          "SELECT version, checksum FROM schema_migrations",
        )
      ).rows
    : [];
  const checksums = new Map(applied.map(({ version, checksum }) => [version, checksum]));
  const files = new Map(known.map(({ version, checksum }) => [version, checksum]));
  return {
    shard,
    applied: [...checksums.keys()].sort((a, b) => a - b),
    pending: [...files.keys()].filter((version) => !checksums.has(version)),
    edited: [...checksums]
      .filter(([version, checksum]) => files.get(version) !== checksum)
      .map(([version]) => version),
  };
}

async function apply(client: pg.Client, { version, name, sql, checksum }: Migration): Promise<void> {
  await client.query("BEGIN");
  try {
    await client.query(
      `CREATE TABLE IF NOT EXISTS schema_migrations
         (version int PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`,
    );
    await client.query(sql);
    await client.query("INSERT INTO schema_migrations VALUES ($1, $2, $3)", [version, name, checksum]);
    await client.query("COMMIT");
  } catch (error) {
    await client.query("ROLLBACK");
    throw new MigrationError(`${name}: ${Error.isError(error) ? error.message : String(error)}`);
  }
}

async function seedPlacement(client: pg.Client, shard: ShardConfig, topology: Topology): Promise<void> {
  const map = topology.shards.map(({ name, buckets }) => ({ shard: name, buckets }));
  const owned = `{${shard.buckets.map(([first, last]) => `[${first},${last}]`).join(",")}}`;
  // A shard that begins empty may join others later: whatever map these have is newer.
  const epoch = shard.buckets.length > 0 ? 1 : 0;
  await client.query(
    "INSERT INTO placement (shard, epoch, map, owned) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
    [shard.name, epoch, JSON.stringify(map), owned],
  );
}
