import { besideBare, CONNECTIONS } from "./beside-bare.ts";
import { type BenchResult, latenciesOf, resultOf } from "./result.ts";
import { fetchText, getRequest, type Setting } from "./setting.ts";

const TWEETS = 300_000;
const VOCABULARY = 50_000;
const AUTHORS = 500;
const PAGE = 20;

/** Words are w1, w2, … from the commonest to the rarest: half of all tweets have w1, one in some thousand w1000. */
const QUERIES = [
  "w1",
  "w30",
  "w1000",
  "w40000",
  "w1 w1000",
  "w2 -w1",
  '"w1 w2"',
  '"w20 w30"',
  "w5000 OR w6000",
  "from:author7 w3",
  "nowhere",
];

/**
 * Pages of 20 search results a second that one process serves over HTTP, of common and rare words, phrases, authors and
 * alternatives in turn, from 300,000 tweets of the last 7 days on one shard. Floor: a bare node:http server that answers
 * with one such page, byte by byte the same.
 */
export async function search({ port, dataset, client, say }: Setting): Promise<BenchResult> {
  const users = await dataset.users("author", AUTHORS);
  say(`writing ${TWEETS} tweets`);
  await dataset.corpus(users, { tweets: TWEETS, vocabulary: VOCABULARY });
  const [reader] = users;
  if (!reader) throw new Error("no reader");
  const paths = QUERIES.map(
    (query) => `/2/tweets/search/recent?max_results=${PAGE}&query=${encodeURIComponent(query)}`,
  );
  say("warming up");
  let page = "";
  const found: Record<string, number> = {};
  for (const [i, path] of paths.entries()) {
    const text = await fetchText(port, path, reader);
    if (i === 0) page = text;
    found[QUERIES[i] ?? ""] = JSON.parse(text).meta.result_count;
  }
  const requests = users.flatMap((user) => paths.map((path) => getRequest(path, user)));
  const rounds = await besideBare({ port, client, say }, page, requests);
  return resultOf("search", "searches/s", rounds, {
    ...latenciesOf(rounds.map(({ value }) => value)),
    connections: CONNECTIONS,
    tweets: TWEETS,
    tweetsPerPage: PAGE,
    pageBytes: Buffer.byteLength(page),
    found,
  });
}
