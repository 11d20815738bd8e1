import { startBareServer } from "./bare-server.ts";
import type { HttpJob, JobResult } from "./client/index.ts";
import type { Setting } from "./setting.ts";

export const CONNECTIONS = 20;
const ROUNDS = 7;
const SECONDS = 2;
const WARM_SECONDS = 5;

/**
 * Has requests answered by the gateway and, in turns, by a bare node:http server that gives each the same `page`: what
 * each did in each round. Both are warm by then.
 */
export async function besideBare(
  { port, client, say }: Pick<Setting, "port" | "client" | "say">,
  page: string,
  requests: string[],
): Promise<{ value: JobResult; floor: JobResult }[]> {
  const bare = await startBareServer(page);
  const job = (to: number, seconds: number): HttpJob => ({
    kind: "http",
    port: to,
    connections: CONNECTIONS,
    seconds,
    requests,
  });
  try {
    for (const to of [bare.port, port]) await client.run(job(to, WARM_SECONDS));
    const rounds: { value: JobResult; floor: JobResult }[] = [];
    for (let round = 1; round <= ROUNDS; round++) {
      say(`round ${round} of ${ROUNDS}`);
      const floor = await client.run(job(bare.port, SECONDS));
      rounds.push({ floor, value: await client.run(job(port, SECONDS)) });
    }
    return rounds;
  } finally {
    bare.stop();
  }
}
