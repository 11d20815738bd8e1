import { setTimeout as sleep } from "node:timers/promises";
import { readTopologyFile } from "../config/topology.ts";
import type { HttpJob, InsertJob, JobResult } from "./client/index.ts";
import { type BenchResult, latenciesOf, resultOf } from "./result.ts";
import { postRequest, type Setting } from "./setting.ts";

const USERS = 500;
const FOLLOWERS = 10;
const CONNECTIONS = 20;
const ROUNDS = 7;
const SECONDS = 2;
const QUIET_POLL_MS = 50;
const TEXT = "A tweet of an ordinary length, some ninety characters long, as people write them every day. ☕";

/**
 * Tweets a second that one process accepts over HTTP, each committed with its fan-out job, while it delivers them to 10
 * followers each. Floor: rows that the same Postgres takes from as many connections, each in a transaction of its own.
 */
export async function tweetCreate({
  port,
  topologyFile,
  dataset,
  client,
  say,
}: Setting): Promise<BenchResult> {
  const users = await dataset.users("author", USERS);
  await dataset.follows(
    users.flatMap((author, i) =>
      Array.from({ length: FOLLOWERS }, (_, n) => [users[(i + n + 1) % USERS] ?? author, author] as const),
    ),
  );
  const http: HttpJob = {
    kind: "http",
    port,
    connections: CONNECTIONS,
    seconds: SECONDS,
    requests: users.map((author) => postRequest("/2/tweets", author, { text: TEXT })),
  };
  const insert: InsertJob = {
    kind: "insert",
    postgresUrl: readTopologyFile(topologyFile).shards[0]?.primary ?? "",
    connections: CONNECTIONS,
    seconds: SECONDS,
    text: TEXT,
  };
  const quiet = async () => {
    while ((await dataset.pendingTweetJobs()) > 0) await sleep(QUIET_POLL_MS);
  };
  say("warming up");
  for (const job of [insert, http, http]) await client.run(job);
  const rounds: { value: JobResult; floor: JobResult }[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    say(`round ${round} of ${ROUNDS}`);
    await quiet();
    const floor = await client.run(insert);
    rounds.push({ floor, value: await client.run(http) });
  }
  return resultOf("tweet-create", "tweets/s", rounds, {
    ...latenciesOf(rounds.map(({ value }) => value)),
    connections: CONNECTIONS,
    followersPerAuthor: FOLLOWERS,
  });
}
