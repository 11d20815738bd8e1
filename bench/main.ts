import { FAIRNESS_ENV, fairness } from "./fairness.ts";
import { fanout } from "./fanout.ts";
import { homeRead } from "./home-read.ts";
import type { BenchResult } from "./result.ts";
import { inSetting, type Setting } from "./setting.ts";
import { tweetCreate } from "./tweet-create.ts";

interface Bench {
  run: (setting: Setting) => Promise<BenchResult>;
  /** Of the services. */
  env?: NodeJS.ProcessEnv;
}

const BENCHES: Record<string, Bench> = {
  "home-read": { run: homeRead },
  "tweet-create": { run: tweetCreate },
  fanout: { run: fanout },
  fairness: { run: fairness, env: FAIRNESS_ENV },
};

const USAGE = `Usage: npm run bench [-- NAME…]

Prints a line of JSON for each benchmark: ${Object.keys(BENCHES).join(", ")}; all of them where none is named.`;

const stopping = new AbortController();

/** Runs the benchmarks one after the other, each on a fresh stack. Returns the exit code. */
async function main(names: string[]): Promise<number> {
  const unknown = names.find((name) => !Object.hasOwn(BENCHES, name));
  if (unknown !== undefined) {
    console.error(`bench: unknown benchmark "${unknown}"\n${USAGE}`);
    return 2;
  }
  for (const [name, { run, env }] of Object.entries(BENCHES)) {
    if (names.length > 0 && !names.includes(name)) continue;
    const say = (line: string) => console.error(`${name}: ${line}`);
    console.log(JSON.stringify(await inSetting(stopping.signal, say, run, env)));
  }
  return 0;
}

for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => stopping.abort());
try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!stopping.signal.aborted)
    console.error(`bench: ${Error.isError(error) ? error.message : String(error)}`);
  process.exitCode = stopping.signal.aborted ? 130 : 1;
}
process.exit();
