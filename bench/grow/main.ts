import { writeFileSync } from "node:fs";
import { readEnv } from "../../config/env.ts";
import { audit } from "../../services/operator/audit.ts";
import { describeFinding, type Finding } from "../../services/operator/audit-findings.ts";
import { EXIT, runCommand, stopping } from "../command.ts";
import { ApiClient, type Person } from "../load/client.ts";
import { type Comparison, compareHomes, settle } from "../load/compare.ts";
import { type Graph, readGraph } from "../load/graph.ts";
import { Oracle } from "../load/oracle.ts";
import { firstTweets, followAll, type Run, signUpAll } from "../load/phases.ts";
import { sample, seededRandom } from "../load/random.ts";
import { Recorder } from "../load/recorder.ts";
import { type OwnStack, startOwnStack } from "../own-stack.ts";
import { type GrowOptions, parseGrowOptions, USAGE } from "./options.ts";
import { plot } from "./plot.ts";
import { type GrowResult, isGood, renderReport } from "./report.ts";
import { Series } from "./series.ts";
import { type Grown, grow } from "./steps.ts";
import { type Acknowledged, missing, traffic } from "./traffic.ts";

const COMPARED = 100;

/** Brings up one primary, loads the graph, grows under load, checks. Returns the exit code. */
async function main(): Promise<number> {
  const options = parseGrowOptions(process.argv.slice(2));
  if (options === undefined) {
    console.log(USAGE);
    return EXIT.good;
  }
  const graph = await readGraph(options.graph, options);
  const own = {
    topology: "single",
    split: false,
    workers: 1,
    onProgress: say,
    signal: stopping,
  } as const;
  const roost = await startOwnStack(own);
  try {
    const result = await run(options, graph, roost);
    console.log(renderReport(result));
    const { seconds, marks } = result;
    writeFileSync(options.svg, plot("One primary, two replicas, three shards, under load", seconds, marks));
    if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(result, null, 2)}\n`);
    return isGood(result) ? EXIT.good : EXIT.bad;
  } finally {
    await roost.stop();
  }
}

async function run(options: GrowOptions, graph: Graph, roost: OwnStack): Promise<GrowResult> {
  const { concurrency } = options;
  const client = new ApiClient(roost.url, concurrency);
  const random = seededRandom(options.seed);
  const before: Run = { client, recorder: new Recorder(), random, concurrency, signal: stopping };
  try {
    const accounts = await signUpAll(before, graph);
    const people = accounts.filter((person) => person !== undefined);
    await followAll(before, graph, accounts);
    await firstTweets(before, people);
    const recorder = new Series();
    const during = { ...before, recorder };
    const [acknowledged, grown] = await growUnder(during, people, options, roost);
    const seconds = recorder.seconds();
    const after: Run = { ...before, recorder: new Recorder() };
    const lost = await missing(after, acknowledged);
    return {
      ...grown,
      seconds,
      lost,
      operations: recorder.operations(),
      errors: recorder.errors(),
      tweets: [...acknowledged.tweets.values()].reduce((sum, ids) => sum + ids.length, 0),
      follows: [...acknowledged.follows.values()].reduce((sum, ids) => sum + ids.size, 0),
      comparison: await compare(after, roost, sample(people, COMPARED, random)),
      findings: await findings(roost),
    };
  } finally {
    await client.close();
  }
}

async function growUnder(
  during: Run & { recorder: Series },
  people: Person[],
  { rest, back }: GrowOptions,
  roost: OwnStack,
): Promise<[Acknowledged, Grown]> {
  const { recorder, signal } = during;
  const elapsed = () => recorder.elapsed;
  const over = new AbortController();
  const load = traffic(during, people, over.signal);
  try {
    const grown = await grow({ roost, elapsed, say, rest, signal }, back);
    over.abort();
    return [await load, grown];
  } finally {
    over.abort();
    await load.catch(() => {});
  }
}

async function compare(after: Run, roost: OwnStack, people: Person[]): Promise<Comparison> {
  const oracle = new Oracle(roost.topologyFile);
  try {
    const { pending } = await settle(oracle, stopping);
    const compared = await compareHomes(after, oracle, people);
    return { ...compared, pendingJobs: pending, deadLetters: await oracle.deadLetters() };
  } finally {
    await oracle.close();
  }
}

async function findings({ topologyFile, redisUrl }: OwnStack): Promise<string[]> {
  const found: Finding[] = [];
  await audit(
    readEnv({ TOPOLOGY_FILE: topologyFile, ...(redisUrl ? { REDIS_URL: redisUrl } : {}) }),
    (finding) => found.push(finding),
  );
  return found.map(describeFinding);
}

function say(line: string): void {
  console.log(`grow: ${line}`);
}

await runCommand("grow", main);
