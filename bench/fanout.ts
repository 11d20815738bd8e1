import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { Keys } from "../mixins/redis/keys.ts";
import type { PushJob } from "./client/index.ts";
import type { Account } from "./dataset.ts";
import { type BenchResult, type Round, resultOf } from "./result.ts";
import { fetchText, homePath, postRequest, type Setting } from "./setting.ts";

const AUTHORS = 20;
const FOLLOWERS = 900;
const OLD_TWEETS = 40;
const TWEETS_EACH = 10;
const ROUNDS = 7;
const POLL_MS = 5;
const CHECKED = 20;
const PREFIX = "roost:";
const FLOOR = { width: 4, seconds: 2, lists: FOLLOWERS, entries: 800, keysPerCall: 250 } as const;
const TEXT = "A tweet of an ordinary length, some ninety characters long, as people write them every day. ☕";

/**
 * Deliveries a second, from the outbox to the home lists of active followers, by one process: 200 tweets of 20 authors
 * with 900 followers each, committed at one moment. Floor: pushes of ids to as many lists on the same Redis by bare
 * scripts, 250 keys a call.
 */
export async function fanout(setting: Setting): Promise<BenchResult> {
  const { port, redisUrl, dataset, client, say } = setting;
  const authors = await dataset.users("author", AUTHORS);
  const followers = await dataset.users("fan", FOLLOWERS);
  await dataset.follows(followers.flatMap((fan) => authors.map((author) => [fan, author] as const)));
  await dataset.tweets(authors, OLD_TWEETS, TEXT);
  const [nobody] = await dataset.users("nudge", 1);
  if (nobody === undefined) throw new Error("no user to tweet");
  say("making every follower active");
  for (const fan of followers) await fetchText(port, homePath(fan, 1), fan);
  const push: PushJob = { kind: "push", redisUrl, ...FLOOR };
  const rounds: { value: Round; floor: Round }[] = [];
  await deliver(setting, authors, nobody);
  for (let round = 1; round <= ROUNDS; round++) {
    say(`round ${round} of ${ROUNDS}`);
    const floor = await client.run(push);
    rounds.push({ floor, value: await deliver(setting, authors, nobody) });
  }
  await checkDelivered(setting, followers);
  return resultOf("fanout", "deliveries/s", rounds, {
    tweets: AUTHORS * TWEETS_EACH,
    followersPerAuthor: FOLLOWERS,
    keysPerCall: FLOOR.keysPerCall,
  });
}

/** Commits tweets with their jobs, has the drain look at once, and waits until no job is left. */
async function deliver(
  { port, dataset, client }: Setting,
  authors: Account[],
  nobody: Account,
): Promise<Round> {
  await dataset.tweetsWithJobs(authors, TWEETS_EACH, TEXT);
  const startedAt = performance.now();
  const requests = [postRequest("/2/tweets", nobody, { text: TEXT })];
  await client.run({ kind: "http", port, connections: 1, seconds: 0, requests });
  while ((await dataset.pendingTweetJobs()) > 0) await sleep(POLL_MS);
  return { done: AUTHORS * TWEETS_EACH * FOLLOWERS, elapsedMs: performance.now() - startedAt };
}

/** Throws unless the tweets of the last round are in the lists of some followers. */
async function checkDelivered({ redisUrl, dataset }: Setting, followers: Account[]): Promise<void> {
  const redis = new Redis(redisUrl);
  try {
    const expected = await dataset.newestTweets(AUTHORS * TWEETS_EACH);
    for (const { id } of followers.slice(0, CHECKED)) {
      const list = new Set(await redis.lrange(new Keys(PREFIX).home(id), 0, -1));
      const missing = expected.filter((tweet) => !list.has(tweet));
      if (missing.length > 0) throw new Error(`${missing.length} tweets did not reach the list of ${id}`);
    }
  } finally {
    redis.disconnect();
  }
}
