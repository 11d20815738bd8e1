import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readTopologyFile } from "../../config/topology.ts";
import { migrate } from "../../mixins/shard-db/migrate.ts";
import { bringUp, removeDataDir } from "../../stack/index.ts";
import { type FollowGraph, followGraph } from "../bulk/graph.ts";
import { bulkLoad } from "../bulk/load.ts";
import { powerLawGraph } from "../bulk/power-law.ts";
import type { BenchResult } from "../result.ts";
import { castOf, type PullCosts, type PushCosts, pullCosts, pushCosts } from "./calibrate.ts";
import { type Cost, CostMeter } from "./cost.ts";
import { MAINTENANCE, onDatabase } from "./database.ts";
import { Replay, type ReplaySetting } from "./replay.ts";
import { resultOf, type Variant } from "./table.ts";
import { type Operation, workload } from "./workload.ts";

/** FANOUT_POLICY of each variant. */
const VARIANTS = ["push", "pull", "10000", "1000", "cost"] as const;
const OPERATIONS = 5_000;
/** Rounds that only warm up: until lists are stored and nobody's mode has changed in so many of them, or the most. */
const WARM_UP = { still: 3, most: 40 } as const;
const ROUNDS = 5;
const SEED = 1;
const CONTENT = { tweets: 250_000, seed: SEED, password: "bulk-loaded", prefix: "u", add: false };

/** Who retweeted whom when the Higgs boson was found (snap.stanford.edu/data/higgs-twitter.html), taken as follows. */
export const HIGGS = "../shared/graphs/higgs-retweet.edges.gz";
const AS_HIGGS = { people: 256_491, meanFollows: 1.3, seed: SEED };

/** The graph of a file, or else that of HIGGS, or else one of as many people. Throws GraphError. */
export async function policyGraph(file: string | undefined): Promise<FollowGraph> {
  const found = file ?? (existsSync(HIGGS) ? HIGGS : undefined);
  return found === undefined ? powerLawGraph(AS_HIGGS) : followGraph(found, { directed: true });
}

export interface PolicyOptions {
  graph: FollowGraph;
  signal: AbortSignal;
  say: (line: string) => void;
}

/**
 * What a round of 5,000 operations costs where the cost decides who is pulled: ms of CPU of the services, Redis and
 * Postgres together. Six reads of home timelines come to a tweet; readers and authors are drawn by Zipf's law. Floor: the
 * cheapest of all push, all pull, and fixed thresholds of 10,000 and 1,000 followers. Each has a database, keys in
 * Redis and a process of its own; they take turns, after rounds that only warm up. `detail` has each of them, with what
 * the constants of the policy (limits.fanout.costs) let expect, and those constants as this run measured them.
 */
export async function policy({ graph, signal, say }: PolicyOptions): Promise<BenchResult> {
  const directory = mkdtempSync(join(tmpdir(), "roost-policy-"));
  const stack = await bringUp({ topology: "single", dataDir: directory, signal, keepAlive: true });
  try {
    const topology = readTopologyFile(stack.topologyFile);
    await migrate(topology);
    say(`loading ${graph.people} people`);
    await bulkLoad(topology, { ...CONTENT, graph, progress: () => ({ update() {}, end() {} }) });
    const postgresUrl = topology.shards[0]?.primary ?? "";
    const { redisUrl } = stack;
    if (redisUrl === undefined) throw new Error("benchmarks need Redis");
    const meter = await CostMeter.open(redisUrl, onDatabase(postgresUrl, MAINTENANCE));
    try {
      return await compare({ topology, redisUrl, directory, meter }, graph, say);
    } finally {
      await meter.close();
    }
  } finally {
    await stack.stop();
    removeDataDir(directory);
  }
}

async function compare(setting: ReplaySetting, graph: FollowGraph, say: (line: string) => void) {
  const operations = workload(graph, OPERATIONS, SEED);
  say("measuring single operations");
  const unitCosts = await measureUnits(setting, graph);
  const running: { policy: string; replay: Replay; costs: Cost[] }[] = [];
  try {
    for (const policy of VARIANTS) {
      const replay = await Replay.start(setting, policy);
      running.push({ policy, replay, costs: [] });
      say(`${policy}: settled after ${await settle(replay, operations)} rounds`);
    }
    for (let round = 1; round <= ROUNDS; round++) {
      say(`round ${round} of ${ROUNDS}`);
      for (const { replay, costs } of running) costs.push(await replay.run(operations));
    }
    const variants = await Promise.all(
      running.map(async ({ policy, replay, costs }): Promise<Variant> => {
        return { policy, costs, pulled: await replay.database.pulled() };
      }),
    );
    return resultOf(graph, operations, unitCosts, variants);
  } finally {
    await Promise.all(running.map(({ replay }) => replay.stop()));
  }
}

/** Warms up. Returns how many rounds it took. */
async function settle(replay: Replay, operations: Operation[]): Promise<number> {
  const counts: number[] = [];
  const { still, most } = WARM_UP;
  while (counts.length < most) {
    await replay.run(operations);
    counts.push((await replay.database.pulled()).size);
    if (counts.length > still && counts.at(-1) === counts.at(-1 - still)) break;
  }
  return counts.length;
}

async function measureUnits(setting: ReplaySetting, graph: FollowGraph): Promise<PushCosts & PullCosts> {
  const cast = castOf(graph);
  const pushing = await Replay.start(setting, "push");
  const pushed = await pushCosts(pushing, cast).finally(() => pushing.stop());
  const pulling = await Replay.start(setting, "push", cast.pulled);
  const pulled = await pullCosts(pulling, cast, pushed).finally(() => pulling.stop());
  return { ...pushed, ...pulled };
}
