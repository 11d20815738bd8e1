import pg from "pg";
import { drive, type InsertJob, type JobResult } from "./jobs.ts";

/** Runs an InsertJob. Rejects with the first failure. */
export async function runInserts({ postgresUrl, connections, seconds, text }: InsertJob): Promise<JobResult> {
  const clients = Array.from({ length: connections }, () => new pg.Client({ connectionString: postgresUrl }));
  await Promise.all(clients.map((client) => client.connect()));
  try {
    const [first] = clients;
    await first?.query(
      "CREATE TABLE IF NOT EXISTS bench_rows (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, text text NOT NULL)",
    );
    return await drive(connections, seconds, async (lane) => {
      const insert = { name: "insert", text: "INSERT INTO bench_rows (text) VALUES ($1)", values: [text] };
      await clients[lane]?.query(insert);
      return 1;
    });
  } finally {
    await Promise.all(clients.map((client) => client.end()));
  }
}
