import { EXIT, runCommand, stopping } from "../command.ts";
import { startOwnStack } from "../own-stack.ts";
import { ApiClient, type Person } from "./client.ts";
import { type Comparison, compareHomes, settle } from "./compare.ts";
import { type Graph, readGraph } from "./graph.ts";
import { LagWatch, PROBED_FOLLOWERS } from "./lag.ts";
import { runMix } from "./mix.ts";
import { type LoadOptions, parseLoadOptions, USAGE } from "./options.ts";
import { Oracle } from "./oracle.ts";
import { firstTweets, followAll, type Run, signUpAll } from "./phases.ts";
import { sample, seededRandom } from "./random.ts";
import { Recorder } from "./recorder.ts";
import { isGood, type LoadResult, renderReport, writeJson } from "./report.ts";

const COMPARED = 100;

/** Reads the graph, loads it into a Roost, drives the mix, compares. Returns the exit code. */
async function main(): Promise<number> {
  const options = parseLoadOptions(process.argv.slice(2), process.env);
  if (options === undefined) {
    console.log(USAGE);
    return EXIT.good;
  }
  const graph = await readGraph(options.graph, options);
  if (graph.people.length === 0) throw new Error(`${options.graph}: holds no edges`);
  say(describe(graph, options));
  const roost = options.target
    ? { ...options.target, stop: async () => {} }
    : await startOwnStack({ ...options, onProgress: say, signal: stopping });
  try {
    const result = await load(options, graph, roost);
    console.log(renderReport(result));
    if (options.json !== undefined) writeJson(options.json, result);
    return isGood(result, options.tolerateErrors) ? EXIT.good : EXIT.bad;
  } finally {
    await roost.stop();
  }
}

async function load(
  options: LoadOptions,
  graph: Graph,
  target: { url: string; topologyFile: string },
): Promise<LoadResult> {
  const recorder = new Recorder();
  const client = new ApiClient(target.url, options.concurrency);
  const probes = new ApiClient(target.url, PROBED_FOLLOWERS);
  const oracle = new Oracle(target.topologyFile);
  const cut = () => void Promise.all([client.close(), probes.close()]);
  stopping.addEventListener("abort", cut, { once: true });
  try {
    const { concurrency } = options;
    const random = seededRandom(options.seed);
    const run: Run = { client, recorder, random, concurrency, signal: stopping };
    const deadBefore = await oracle.deadLetters();
    const accounts = await signUpAll(run, graph);
    const people = accounts.filter((person) => person !== undefined);
    if (people.length === 0) throw new Error(`nobody could be signed up: ${recorder.errors()[0]?.example}`);
    await followAll(run, graph, accounts);
    await firstTweets(run, people);
    // The mix begins at rest: what the first tweets have left to do is no part of it.
    await settle(oracle, stopping);
    const lag = new LagWatch(run, probes, followersOf(graph, accounts));
    await runMix(run, people, {
      ...options,
      onHome: (viewer) => lag.read(viewer),
      onComposed: (author, id, acceptedAt) => lag.composed(author, id, acceptedAt),
    });
    await lag.settle();
    const { ms, pending } = await settle(oracle, stopping);
    const compared = await compareHomes(run, oracle, sample(people, COMPARED, random));
    const deadLetters = (await oracle.deadLetters()) - deadBefore;
    return resultOf(options, graph, recorder, ms, { ...compared, pendingJobs: pending, deadLetters });
  } finally {
    stopping.removeEventListener("abort", cut);
    await Promise.all([client.close(), probes.close(), oracle.close()]);
  }
}

function followersOf(graph: Graph, accounts: (Person | undefined)[]): Map<Person, Person[]> {
  const followers = new Map<Person, Person[]>();
  for (const [a, b] of graph.follows) {
    const [follower, followee] = [accounts[a], accounts[b]];
    if (!follower || !followee) continue;
    const known = followers.get(followee);
    if (known) known.push(follower);
    else followers.set(followee, [follower]);
  }
  return followers;
}

function resultOf(
  options: LoadOptions,
  graph: Graph,
  recorder: Recorder,
  settledMs: number,
  comparison: Comparison,
): LoadResult {
  const { mix, rate, seconds, concurrency, seed, topology, split, workers } = options;
  return {
    graph: { file: options.graph, people: graph.people.length, follows: graph.follows.length },
    options: { mix, rate, seconds, concurrency, seed, topology, split, workers },
    operations: recorder.operations(),
    errors: recorder.errors(),
    settledMs,
    comparison,
  };
}

function describe(graph: Graph, { graph: file, directed }: LoadOptions): string {
  const { duplicates, selfFollows } = graph.dropped;
  return (
    `${file}: ${graph.people.length} people, ${graph.follows.length} follows from ${graph.lines} ` +
    `${directed ? "directed" : "undirected"} edges (${duplicates} duplicates and ${selfFollows} self-follows dropped)`
  );
}

function say(line: string): void {
  console.log(`load: ${line}`);
}

await runCommand("load", main);
