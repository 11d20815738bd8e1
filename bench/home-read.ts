import { besideBare, CONNECTIONS } from "./beside-bare.ts";
import { type BenchResult, latenciesOf, resultOf } from "./result.ts";
import { fetchText, getRequest, homePath, type Setting } from "./setting.ts";

const USERS = 500;
const FOLLOWED = 100;
const TWEETS_EACH = 10;
const PAGE = 20;
const TEXT = "A tweet of an ordinary length, some ninety characters long, as people write them every day. ☕";

/**
 * Home timelines a second that one process serves over HTTP: pages of 20 tweets, to users who follow 100 authors, from
 * warm caches. Floor: a bare node:http server that answers with one such page, byte by byte the same.
 */
export async function homeRead({ port, dataset, client, say }: Setting): Promise<BenchResult> {
  const users = await dataset.users("reader", USERS);
  await dataset.follows(
    users.flatMap((reader, i) =>
      Array.from({ length: FOLLOWED }, (_, n) => [reader, users[(i + n + 1) % USERS] ?? reader] as const),
    ),
  );
  await dataset.tweets(users, TWEETS_EACH, TEXT);
  say("warming up");
  let page = "";
  for (const user of users) page = await fetchText(port, homePath(user, PAGE), user);
  const requests = users.map((user) => getRequest(homePath(user, PAGE), user));
  const rounds = await besideBare({ port, client, say }, page, requests);
  return resultOf("home-read", "home timelines/s", rounds, {
    ...latenciesOf(rounds.map(({ value }) => value)),
    connections: CONNECTIONS,
    tweetsPerPage: PAGE,
    pageBytes: Buffer.byteLength(page),
    authorsFollowed: FOLLOWED,
  });
}
