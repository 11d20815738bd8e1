import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { ROOT } from "../../stack/root.ts";
import type { OwnStack } from "../own-stack.ts";
import type { Mark } from "./plot.ts";

/** What growing needs to know and to tell. */
export interface Growing {
  roost: OwnStack;
  /** s since the run began. */
  elapsed: () => number;
  say: (line: string) => void;
  /** s between two steps. */
  rest: number;
  signal: AbortSignal;
}

/** What growing came to: when each step was, and the ms for which writers were held up. */
export interface Grown {
  marks: Mark[];
  pauses: number[];
}

/** One primary, then two replicas, then three shards; with `back` to one shard again. */
export async function grow(growing: Growing, back: boolean): Promise<Grown> {
  const { roost, elapsed, say, rest, signal } = growing;
  const { stack } = roost;
  const grown: Grown = { marks: [], pauses: [] };
  const step = async (label: string, work: () => Promise<unknown>) => {
    await sleep(rest * 1_000, undefined, { signal });
    const from = elapsed();
    say(`${from.toFixed(0)} s: ${label}`);
    await work();
    grown.marks.push({ from, to: elapsed(), label });
  };
  const shards = async (...args: string[]) => grown.pauses.push(...(await runShards(growing, args)));
  await step("+ replica", () => stack.addReplica("s0"));
  await step("+ replica", () => stack.addReplica("s0"));
  await step("+ shards s1, s2", async () => {
    for (const shard of ["s1", "s2"]) {
      const [primary = "", ...replicas] = await stack.addShard(shard);
      await shards("add", shard, "--primary", primary, ...replicas.flatMap((url) => ["--replica", url]));
    }
  });
  await step("rebalance: 3 shards", () => shards("rebalance"));
  if (back) {
    await step("rebalance onto s0", () => shards("rebalance", "--onto", "s0"));
    await step("− s1, s2", async () => {
      for (const shard of ["s1", "s2"]) {
        await shards("remove", shard);
        await stack.removeShard(shard);
      }
    });
  }
  await sleep(rest * 1_000, undefined, { signal });
  return grown;
}

/** Runs `npm run shards` as an operator would, in a process of its own. Returns the pauses of writers (ms). Throws where it fails. */
async function runShards({ roost, say, signal }: Growing, args: string[]): Promise<number[]> {
  const child = spawn(
    process.execPath,
    [
      join(ROOT, "services", "operator", "cli.ts"),
      "shards",
      ...args,
      "--json",
      "--topology-file",
      roost.topologyFile,
    ],
    { stdio: ["ignore", "pipe", "pipe"], signal },
  );
  const exit = once(child, "close");
  const wrong: string[] = [];
  child.stderr.on("data", (text) => wrong.push(String(text)));
  const pauses: number[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    const told: { done?: string; pauseMs?: number } = JSON.parse(line);
    if (told.pauseMs !== undefined) pauses.push(told.pauseMs);
    if (told.done !== undefined) say(`  ${told.done}`);
  }
  const [code] = await exit;
  if (code !== 0) throw new Error(`shards ${args[0]} ended with ${code}: ${wrong.join("").trim()}`);
  return pauses;
}
