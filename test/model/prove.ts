/**
 * `npm run prove`: what `npm test` checks with a small quota, with a large one. Every seed stands for 25 sequences (see
 * home-model.test.ts); seeds that have passed are remembered per commit, so that a run which was interrupted goes on
 * where it was, and ranges of seeds can be given to several machines.
 */
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { showProgress } from "../../bench/load/progress.ts";
import { readCommandLine, UsageError } from "../../config/command-line.ts";

const USAGE = `Usage: npm run prove [-- --seeds FROM..TO]

Runs the model-based tests of home timelines with these seeds (1..400: 10,000 sequences), then the long form of the
other tests. Seeds that passed on this commit are not run again.`;

const ROOT = new URL("../../", import.meta.url).pathname;
const STATE = `${ROOT}.cache/prove.json`;
/** Seeds to one process of jest: few enough to lose little when interrupted. */
const CHUNK = 16;
const SEQUENCES = 25;
/** Tests that have a longer form, or try something else where they are asked to, and what asks for it. */
const SEED = String(Date.now() % 2 ** 31);
const LONGER = [
  { pattern: "edge-toggle", env: { ROOST_TOGGLE_SECONDS: "30" } },
  { pattern: "e2e/fuzz", env: { ROOST_FUZZ_REQUESTS: "20000", ROOST_FUZZ_SEED: SEED } },
  { pattern: "test/unit/|search-documents|windowed-list|home-reading", env: { ROOST_SEED: SEED } },
];

interface State {
  commit: string;
  passed: number[];
}

function commitNow(): string {
  try {
    return execFileSync("git", ["rev-parse", "HEAD"], { cwd: ROOT, encoding: "utf8" }).trim();
  } catch {
    return "unknown";
  }
}

function readState(commit: string): State {
  try {
    const state: State = JSON.parse(readFileSync(STATE, "utf8")); // written below
    if (state.commit === commit) return state;
  } catch {
    // The first run.
  }
  return { commit, passed: [] };
}

function writeState(state: State): void {
  mkdirSync(dirname(STATE), { recursive: true });
  writeFileSync(STATE, JSON.stringify(state));
}

/** "1..400" as its ends. Throws UsageError. */
function rangeOf(text: string): [number, number] {
  const match = /^(\d+)\.\.(\d+)$/.exec(text);
  const [from, to] = [Number(match?.[1]), Number(match?.[2])];
  if (!match || from > to) throw new UsageError(`--seeds: expected FROM..TO, got "${text}"`);
  return [from, to];
}

/** Runs tests; what they print is kept and returned where they fail. */
function jest(pattern: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const child = spawn("jest", ["--ci", "--testPathPatterns", pattern], {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => said.push(text));
  }
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => resolve(code === 0 ? undefined : said.join("")));
  });
}

/** Runs what is left of the seeds. Returns the output of the first chunk that failed. */
async function proveModel(from: number, to: number): Promise<string | undefined> {
  const state = readState(commitNow());
  const progress = showProgress("model", (to - from + 1) * SEQUENCES, "sequences");
  const passed = new Set(state.passed);
  const done = () =>
    progress.update([...passed].filter((seed) => seed >= from && seed <= to).length * SEQUENCES);
  done();
  for (let seed = from; seed <= to; ) {
    if (passed.has(seed)) {
      seed++;
      continue;
    }
    let last = seed;
    while (last < to && last - seed + 1 < CHUNK && !passed.has(last + 1)) last++;
    const failure = await jest("home-model", { ROOST_SEEDS: `${seed}..${last}` });
    if (failure !== undefined) {
      progress.end();
      return failure;
    }
    for (; seed <= last; seed++) passed.add(seed);
    writeState({ ...state, passed: [...passed] });
    done();
  }
  progress.end();
  return undefined;
}

async function main(): Promise<number> {
  const { values } = readCommandLine({ options: { seeds: { type: "string", default: "1..400" } } });
  const [from, to] = rangeOf(values.seeds);
  let failure = await proveModel(from, to);
  for (const { pattern, env } of LONGER) {
    if (failure !== undefined) break;
    console.log(
      `${pattern}: ${Object.entries(env)
        .map(([name, value]) => `${name}=${value}`)
        .join(" ")}`,
    );
    failure = await jest(pattern, env);
  }
  if (failure === undefined) {
    console.log(`proved: seeds ${from}..${to}, ${(to - from + 1) * SEQUENCES} sequences, at ${commitNow()}`);
    return 0;
  }
  console.error(failure);
  console.error(
    'Replay one seed with ROOST_SEEDS="S..S" ROOST_SEED_PATH="PATH" npx jest --testPathPatterns home-model,\n' +
      'a request of the fuzz run with ROOST_FUZZ_SEED="SEED" ROOST_FUZZ_PATH="PATH" npx jest --testPathPatterns e2e/fuzz',
  );
  return 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`prove: ${error.message}\n${USAGE}`);
  process.exitCode = 2;
}
