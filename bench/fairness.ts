import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { Keys } from "../mixins/redis/keys.ts";
import type { Account } from "./dataset.ts";
import { deliveryLags, quantile, type Sender } from "./delivery.ts";
import { makeGiant, missingFrom } from "./giant.ts";
import type { BenchResult } from "./result.ts";
import { fetchText, homePath, type Setting } from "./setting.ts";

const AUTHORS = 50;
const FOLLOWERS = 20;
const GIANT_FOLLOWERS = 250_000;
const PER_SECOND = 50;
const SAMPLES = 200;
const ROUNDS = 9;
const POLL_MS = 20;
const PREFIX = "roost:";

/** Everybody is pushed, however many followers they have. */
export const FAIRNESS_ENV = { FANOUT_POLICY: "push" };

/** Delivery lags of ordinary tweets, in ms. */
interface FairnessRound {
  without: number[];
  with: number[];
  giantSeconds: number;
}

/**
 * The delivery lag (p99, in ms) of ordinary tweets while a tweet is pushed to 250,000 active followers, all by one process.
 * Floor: the same without that. Of the rounds in which both take turns, the one whose ratio is the median.
 */
export async function fairness(setting: Setting): Promise<BenchResult> {
  const { dataset, redisUrl, say } = setting;
  const keys = new Keys(PREFIX);
  const redis = new Redis(redisUrl);
  try {
    const senders = await ordinarySenders(setting, keys);
    const [giant] = await dataset.users("giant", 1);
    if (!giant) throw new Error("no giant");
    say(`giving one author ${GIANT_FOLLOWERS} active followers`);
    const lists = await makeGiant(dataset, redisUrl, keys, giant, GIANT_FOLLOWERS);
    await deliveryLags(redis, senders, PER_SECOND, (sent) => sent < SAMPLES);
    const rounds: FairnessRound[] = [];
    for (let round = 1; round <= ROUNDS; round++) {
      say(`round ${round} of ${ROUNDS}`);
      rounds.push(await fairnessRound(setting, { redis, senders, giant, lists }));
    }
    return fairnessResult(rounds);
  } finally {
    redis.disconnect();
  }
}

async function ordinarySenders({ dataset, port }: Setting, keys: Keys): Promise<Sender[]> {
  const authors = await dataset.users("author", AUTHORS);
  const fans = await dataset.users("fan", FOLLOWERS);
  await dataset.follows(fans.flatMap((fan) => authors.map((author) => [fan, author] as const)));
  for (const fan of fans) await fetchText(port, homePath(fan, 1), fan);
  return authors.map((author, i) => ({
    tweet: () => postTweet(port, author),
    list: keys.home(fans[i % FOLLOWERS]?.id ?? ""),
  }));
}

async function fairnessRound(
  { port, dataset, redisUrl }: Setting,
  all: { redis: Redis; senders: Sender[]; giant: Account; lists: string[] },
): Promise<FairnessRound> {
  const { redis, senders, giant, lists } = all;
  const without = await deliveryLags(redis, senders, PER_SECOND, (sent) => sent < SAMPLES);
  const startedAt = performance.now();
  const id = await postTweet(port, giant);
  let isDone = false;
  const done = (async () => {
    while (await dataset.isTweetPending(id)) await sleep(POLL_MS);
    isDone = true;
    return (performance.now() - startedAt) / 1000;
  })();
  const lags = await deliveryLags(redis, senders, PER_SECOND, () => !isDone);
  const giantSeconds = await done;
  const missing = await missingFrom(redisUrl, lists, id);
  if (missing > 0) throw new Error(`${missing} followers of the giant miss the tweet`);
  return { without, with: lags, giantSeconds };
}

function fairnessResult(rounds: FairnessRound[]): BenchResult {
  const p99 = (lags: number[]) => quantile(lags, 0.99);
  const ratios = rounds.map((round) => p99(round.with) / p99(round.without));
  const middle = rounds[ratios.indexOf(quantile(ratios, 0.5))];
  if (!middle) throw new RangeError("no round");
  return {
    bench: "fairness",
    value: p99(middle.with),
    unit: "ms, p99 of delivery",
    floor: p99(middle.without),
    ratio: Number((p99(middle.with) / p99(middle.without)).toPrecision(3)),
    detail: {
      giantFollowers: GIANT_FOLLOWERS,
      giantSeconds: rounds.map(({ giantSeconds }) => Number(giantSeconds.toFixed(2))),
      p50Ms: [quantile(middle.without, 0.5), quantile(middle.with, 0.5)],
      values: rounds.map((round) => p99(round.with)),
      floors: rounds.map((round) => p99(round.without)),
    },
  };
}

async function postTweet(port: number, { token }: Account): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${port}/2/tweets`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ text: "An ordinary tweet." }),
  });
  const { data }: { data?: { id?: unknown } } = JSON.parse(await answer.text());
  if (typeof data?.id !== "string") throw new Error(`POST /2/tweets → ${answer.status}`);
  return data.id;
}
