import { setTimeout as sleep } from "node:timers/promises";
import type { Page, Person } from "./client.ts";
import type { Oracle } from "./oracle.ts";
import { inParallel, type Run } from "./phases.ts";
import { showProgress } from "./progress.ts";

const PAGE = 100;
const WIDTH = 4;
const SETTLE_MS = 60_000;
const SETTLE_POLL_MS = 100;
const SHOWN = 3;

export interface Comparison {
  users: number;
  /** In the expected timelines, all together. */
  tweets: number;
  /** A line for each timeline that differs, is out of order, repeats itself or cannot be read. */
  differences: string[];
  /** Deferred effects that were still to come after a minute, and those given up during the run. */
  pendingJobs: number;
  deadLetters: number;
}

/** How long the outbox took to run dry, in ms, and how many jobs it still holds if it did not within a minute. */
export async function settle(oracle: Oracle, signal: AbortSignal): Promise<{ ms: number; pending: number }> {
  const startedAt = performance.now();
  for (;;) {
    const pending = await oracle.pendingJobs();
    const ms = performance.now() - startedAt;
    if (pending === 0 || ms > SETTLE_MS) return { ms, pending };
    await sleep(SETTLE_POLL_MS, undefined, { signal });
  }
}

/** Compares the whole home timelines of these people, as the API serves them, with what the database says they are. */
export async function compareHomes(
  run: Run,
  oracle: Oracle,
  people: Person[],
): Promise<Pick<Comparison, "users" | "tweets" | "differences">> {
  const progress = showProgress("compare", people.length, "timelines");
  const differences: string[] = [];
  let [users, tweets] = [0, 0];
  try {
    await inParallel(people, WIDTH, async (viewer) => {
      run.signal.throwIfAborted();
      const expected = await oracle.homeOf(viewer.id);
      const pages = await wholeHome(run, viewer);
      const fault = pages === undefined ? "could not be read" : differenceOf(pages, expected);
      if (fault !== undefined) differences.push(`${viewer.username} (${viewer.id}): ${fault}`);
      users++;
      tweets += expected.length;
      progress.update(users, `${differences.length} differences`);
    });
  } finally {
    progress.end();
  }
  return { users, tweets, differences };
}

/** All pages of a home timeline; undefined where one of them failed, which the recorder has noted. */
async function wholeHome(run: Run, viewer: Person): Promise<Page[] | undefined> {
  const pages: Page[] = [];
  const tokens = new Set<string>();
  for (let token: string | undefined; ; ) {
    const query = { max_results: PAGE, ...(token === undefined ? {} : { pagination_token: token }) };
    const page = await run.recorder.time("compare", () => run.client.homePage(viewer, query));
    if (page === undefined) return undefined;
    pages.push(page);
    token = page.nextToken;
    if (token === undefined) return pages;
    if (tokens.has(token)) {
      run.recorder.failed("compare", new Error(`the pages of ${viewer.username} go round in a circle`));
      return undefined;
    }
    tokens.add(token);
  }
}

/** What is wrong with the pages of a timeline that should hold exactly `expected`, in one line; undefined: nothing. */
export function differenceOf(pages: Page[], expected: string[]): string | undefined {
  const faults: string[] = [];
  const actual = pages.flatMap(({ ids }) => ids);
  const seen = new Set(actual);
  const wanted = new Set(expected);
  for (const [i, { ids, resultCount }] of pages.entries()) {
    if (resultCount !== ids.length) {
      faults.push(`page ${i + 1} holds ${ids.length} tweets and says ${resultCount}`);
    }
  }
  if (seen.size < actual.length) {
    const repeated = actual.filter((id, i) => actual.indexOf(id) !== i);
    faults.push(`${repeated.length} repeated (${some(repeated)})`);
  }
  const disorder = actual.findIndex((id, i) => i > 0 && BigInt(actual[i - 1] ?? 0) < BigInt(id));
  if (disorder >= 0) faults.push(`not newest first at ${actual[disorder]}`);
  const missing = expected.filter((id) => !seen.has(id));
  if (missing.length > 0) faults.push(`${missing.length} of ${expected.length} missing (${some(missing)})`);
  const unexpected = [...seen].filter((id) => !wanted.has(id));
  if (unexpected.length > 0) faults.push(`${unexpected.length} too many (${some(unexpected)})`);
  return faults.length > 0 ? faults.join(", ") : undefined;
}

function some(ids: string[]): string {
  return ids.slice(0, SHOWN).join(" ") + (ids.length > SHOWN ? " …" : "");
}
