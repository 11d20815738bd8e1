import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import type { Person } from "./client.ts";
import { composer } from "./composer.ts";
import { MIX_OPERATIONS, type Mix, type MixOperation } from "./options.ts";
import type { Run } from "./phases.ts";
import { showProgress } from "./progress.ts";
import { pick, type Random } from "./random.ts";

const PAGE = 20;
const SHOW_EVERY_MS = 250;
/** After so many requests behind schedule, those under way get a turn. */
const BURST = 32;

export interface MixOptions {
  mix: Mix;
  seconds: number;
  /** Requests a second, on schedule; undefined: as many as the connections carry. */
  rate: number | undefined;
  /** Told of everybody who has read a page of their home timeline. */
  onHome: (viewer: Person) => void;
  /** Told of each tweet that was accepted, and when, in ms of `performance.now()`. */
  onComposed: (author: Person, tweetId: string, acceptedAt: number) => void;
}

/** Chooses operations by their weights. */
export function chooser(mix: Mix, random: Random): () => MixOperation {
  const total = MIX_OPERATIONS.reduce((sum, name) => sum + mix[name], 0);
  return () => {
    let left = random() * total;
    for (const name of MIX_OPERATIONS) {
      left -= mix[name];
      if (left < 0) return name;
    }
    throw new RangeError("a mix needs a weight");
  };
}

/**
 * Drives the mix with random people for so many seconds: in a closed loop, where every connection waits for its answer,
 * or in an open one, where requests are due on schedule and their latency counts from then, however late they are sent.
 */
export async function runMix(run: Run, people: Person[], options: MixOptions): Promise<void> {
  const { recorder } = run;
  const progress = showProgress("mix", options.seconds, "s");
  const startedAt = performance.now();
  const failedBefore = recorder.errorCount();
  const operation = operations(run, people, options);
  let sent = 0;
  let answered = 0;
  const send = async (dueAt?: number) => {
    sent++;
    await operation(dueAt);
    answered++;
  };
  const show = () => {
    const seconds = (performance.now() - startedAt) / 1000;
    const note = `${Math.round(answered / seconds)}/s, ${sent - answered} under way, ${recorder.errorCount() - failedBefore} errors`;
    progress.update(Math.min(options.seconds, Math.round(seconds)), note);
  };
  const shown = setInterval(show, SHOW_EVERY_MS);
  const until = startedAt + options.seconds * 1000;
  try {
    if (options.rate === undefined) await closedLoop(run, until, send);
    else await openLoop(run, startedAt, until, options.rate, send);
  } finally {
    clearInterval(shown);
    show();
    progress.end();
  }
  recorder.lasted(MIX_OPERATIONS, performance.now() - startedAt);
}

/** One operation of the mix: sends it, waits for its answer and notes it. Never rejects. */
function operations(run: Run, people: Person[], options: MixOptions): (dueAt?: number) => Promise<void> {
  const { client, recorder, random } = run;
  const choose = chooser(options.mix, random);
  const text = composer(people, random);
  const kinds: Record<MixOperation, (dueAt?: number) => Promise<void>> = {
    home: async (dueAt) => {
      const viewer = pick(people, random);
      const page = await recorder.time("home", () => client.homePage(viewer, { max_results: PAGE }), dueAt);
      if (page !== undefined) options.onHome(viewer);
    },
    user: async (dueAt) => {
      const [viewer, author] = [pick(people, random), pick(people, random)];
      await recorder.time("user", () => client.userPage(viewer, author, { max_results: PAGE }), dueAt);
    },
    compose: async (dueAt) => {
      const author = pick(people, random);
      const id = await recorder.time("compose", () => client.tweet(author, text()), dueAt);
      if (id !== undefined) options.onComposed(author, id, performance.now());
    },
  };
  return (dueAt) => kinds[choose()](dueAt);
}

async function closedLoop(run: Run, until: number, send: () => Promise<void>): Promise<void> {
  const connection = async () => {
    while (performance.now() < until) {
      run.signal.throwIfAborted();
      await send();
    }
  };
  await Promise.all(Array.from({ length: run.concurrency }, connection));
}

async function openLoop(
  run: Run,
  startedAt: number,
  until: number,
  rate: number,
  send: (dueAt: number) => Promise<void>,
): Promise<void> {
  const underWay: Promise<void>[] = [];
  for (let n = 0; ; n++) {
    const dueAt = startedAt + (n * 1000) / rate;
    if (dueAt >= until) break;
    const early = dueAt - performance.now();
    if (early > 0) await sleep(early, undefined, { signal: run.signal });
    else if (n % BURST === 0) await nextTurn();
    run.signal.throwIfAborted();
    underWay.push(send(dueAt));
  }
  await Promise.all(underWay);
}
