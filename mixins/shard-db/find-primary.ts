import pg from "pg";
import type { ShardConfig } from "../../config/topology.ts";

/** A server that was asked, with a connection to it. */
interface Candidate {
  client: pg.Client;
  replica: boolean;
  timeline: number;
}

const WITHIN_MS = 5_000;
const WHO = `
  SELECT replica, CASE WHEN replica THEN (SELECT timeline_id FROM pg_control_checkpoint())
    ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int END AS timeline
  FROM pg_is_in_recovery() AS replica`;

/**
 * A connection to the server of a shard that takes writes, whichever it is now; the caller ends it. It needs no schema. Throws
 * in one line where none answers that may be written to.
 */
export async function connectPrimary({ name, primary, replicas }: ShardConfig): Promise<pg.Client> {
  const asked = await Promise.allSettled([primary, ...replicas].map(ask));
  const found = asked.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
  const timeline = Math.max(0, ...found.map((candidate) => candidate.timeline));
  const chosen = found.find((candidate) => !candidate.replica && candidate.timeline === timeline);
  await Promise.all(found.map((each) => each !== chosen && each.client.end()));
  if (chosen) return chosen.client;
  const [reason] = asked.flatMap((answer) => (answer.status === "rejected" ? describe(answer.reason) : []));
  throw new Error(`shard ${name}: ${reason ?? "none of its servers takes writes"}`);
}

async function ask(url: string): Promise<Candidate> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: WITHIN_MS });
  client.on("error", () => {});
  await client.connect();
  const { rows } = await client.query<{ replica: boolean; timeline: number }>(WHO);
  return { client, replica: rows[0]?.replica ?? true, timeline: rows[0]?.timeline ?? 0 };
}

/** A name with several addresses fails with a code and no message. */
function describe(error: unknown): string {
  if (!Error.isError(error)) return String(error);
  return error.message || ("code" in error ? String(error.code) : error.name);
}
