import { Client } from "pg";
import { serverUrl } from "./servers.ts";

/** How many connections a process has open to each database, by the name it gives them. */
export async function connectionsOf(application: string): Promise<Map<string, number>> {
  const client = new Client({ connectionString: serverUrl("PG") });
  await client.connect();
  const { rows } = await client.query<{ datname: string; count: number }>(
    "SELECT datname, count(*)::int FROM pg_stat_activity WHERE application_name = $1 GROUP BY datname",
    [application],
  );
  await client.end();
  return new Map(rows.map(({ datname, count }) => [datname, count]));
}
