import { readCommandLine, UsageError } from "../config/command-line.ts";
import { EXIT, runCommand, stopping } from "./command.ts";
import { FAIRNESS_ENV, fairness } from "./fairness.ts";
import { fanout } from "./fanout.ts";
import { homeRead } from "./home-read.ts";
import { HIGGS, policy, policyGraph } from "./policy/index.ts";
import type { BenchResult } from "./result.ts";
import { search } from "./search.ts";
import { inSetting, type Setting } from "./setting.ts";
import { tweetCreate } from "./tweet-create.ts";

/** What every benchmark is given. */
interface BenchContext {
  signal: AbortSignal;
  say: (line: string) => void;
  /** An edge list, for those that need a graph. */
  graph: string | undefined;
}
type Bench = (context: BenchContext) => Promise<BenchResult>;

const BENCHES: Record<string, Bench> = {
  "home-read": onOneProcess(homeRead),
  "tweet-create": onOneProcess(tweetCreate),
  fanout: onOneProcess(fanout),
  fairness: onOneProcess(fairness, FAIRNESS_ENV),
  search: onOneProcess(search),
  policy: async ({ graph, ...context }) => policy({ ...context, graph: await policyGraph(graph) }),
};

const USAGE = `Usage: npm run bench [-- NAME… [--graph FILE]]

Prints a line of JSON for each benchmark: ${Object.keys(BENCHES).join(", ")}; all of them where none is named.

  --graph FILE  for policy: who follows whom, as lines "follower followee", plain or .gz
                (default: ${HIGGS} where it is there, otherwise a generated graph of as many users)`;

/** Runs the benchmarks one after the other, each on a fresh stack. Returns the exit code. */
async function main(args: string[]): Promise<number> {
  const options = { graph: { type: "string" }, help: { type: "boolean" } } as const;
  const { positionals: names, values } = readCommandLine({ args, allowPositionals: true, options });
  if (values.help) {
    console.log(USAGE);
    return EXIT.good;
  }
  const unknown = names.find((name) => !Object.hasOwn(BENCHES, name));
  if (unknown !== undefined) throw new UsageError(`unknown benchmark "${unknown}"`);
  for (const [name, run] of Object.entries(BENCHES)) {
    if (names.length > 0 && !names.includes(name)) continue;
    const say = (line: string) => console.error(`${name}: ${line}`);
    console.log(JSON.stringify(await run({ signal: stopping, say, graph: values.graph })));
  }
  return EXIT.good;
}

/** Runs a benchmark against all services in one process; `env`: of the services. */
function onOneProcess(run: (setting: Setting) => Promise<BenchResult>, env?: NodeJS.ProcessEnv): Bench {
  return ({ signal, say }) => inSetting(signal, say, run, env);
}

await runCommand("bench", () => main(process.argv.slice(2)), USAGE);
