/** `npm run redis-changes`: what clients see while Redis fails over and is resharded. See docs/proofs.md. */
import { readCommandLine, UsageError } from "../../config/command-line.ts";
import { EXIT, runCommand, stopping } from "../command.ts";
import { ApiClient, type Person } from "../load/client.ts";
import { compareHomes, settle } from "../load/compare.ts";
import { runMix } from "../load/mix.ts";
import { Oracle } from "../load/oracle.ts";
import { followAll, type Run, signUpAll } from "../load/phases.ts";
import { seededRandom } from "../load/random.ts";
import { type OwnStack, startOwnStack } from "../own-stack.ts";
import { changeRedis } from "./changes.ts";
import { Journal, renderChapters } from "./journal.ts";

const PEOPLE = 60;
const FOLLOWED = 20;
const CONNECTIONS = 16;
const MIX = { home: 60, user: 15, compose: 25 };
const PER_SECOND = 80;
const FOREVER_S = 3_600;

const USAGE = `Usage: npm run redis-changes [-- sentinel|cluster]

Brings up a Roost, five processes, on Redis under Sentinel or on a Redis Cluster (both, one after the other, where none
is named), and keeps ${PER_SECOND} requests a second coming while masters die and slots move.`;

const say = (line: string) => console.error(`redis-changes: ${line}`);

/** Returns the exit code: 0 where nobody saw an error for 5 s, nothing was lost and every timeline is right. */
async function main(args: string[]): Promise<number> {
  const options = { help: { type: "boolean" } } as const;
  const { positionals, values } = readCommandLine({ args, allowPositionals: true, options });
  if (values.help) {
    console.log(USAGE);
    return EXIT.good;
  }
  const topologies = { sentinel: "replicas", cluster: "sharded" } as const;
  const unknown = positionals.find((name) => !Object.hasOwn(topologies, name));
  if (unknown !== undefined) throw new UsageError(`neither sentinel nor cluster: ${unknown}`);
  let good = true;
  for (const [name, topology] of Object.entries(topologies)) {
    if (positionals.length > 0 && !positionals.includes(name)) continue;
    const options = {
      topology,
      replicas: 0,
      split: true,
      workers: 1,
      keepAlive: false,
      onProgress: say,
      signal: stopping,
    };
    const roost = await startOwnStack(options);
    try {
      console.log(`\n${name}`);
      good = (await watch(roost)) && good;
    } finally {
      await roost.stop();
    }
  }
  return good ? EXIT.good : EXIT.bad;
}

async function watch(roost: OwnStack): Promise<boolean> {
  const journal = new Journal();
  const client = new ApiClient(roost.url, CONNECTIONS);
  const oracle = new Oracle(roost.topologyFile);
  const over = new AbortController();
  const signal = AbortSignal.any([over.signal, stopping]);
  const run: Run = { client, recorder: journal, random: seededRandom(1), concurrency: CONNECTIONS, signal };
  try {
    const people = await settleIn(run);
    const accepted: { author: Person; id: string }[] = [];
    const load = runMix(run, people, {
      mix: MIX,
      seconds: FOREVER_S,
      rate: PER_SECOND,
      onHome: () => {},
      onComposed: (author, id) => void accepted.push({ author, id }),
    }).catch((error: unknown) => {
      if (!over.signal.aborted) throw error;
    });
    await Promise.race([load, changeRedis(roost, (what) => journal.change(what))]);
    const chapters = journal.chapters();
    over.abort();
    await load;
    const { pending } = await settle(oracle, stopping);
    const compared = await compareHomes({ ...run, signal: stopping }, oracle, people);
    const truth = new Map(
      await Promise.all(
        people.map(async ({ id }): Promise<[string, Set<string>]> => [id, new Set(await oracle.homeOf(id))]),
      ),
    );
    const lost = accepted.filter(({ author, id }) => !truth.get(author.id)?.has(id));
    console.log(renderChapters(chapters));
    for (const { operation, status, count, example } of journal.errors())
      console.log(`${count} × ${operation} ${status}: ${example}`);
    console.log(
      `${accepted.length} tweets accepted, ${lost.length} lost; ${compared.users} home timelines, ` +
        `${compared.differences.length} of them not what the oracle says; ${pending} jobs pending`,
    );
    for (const difference of compared.differences) console.log(difference);
    const longest = Math.max(...chapters.map(({ errorsFor }) => errorsFor));
    return longest <= 5 && lost.length + compared.differences.length + pending === 0;
  } finally {
    await Promise.all([client.close(), oracle.close()]);
  }
}

/** People who follow each other. */
async function settleIn(run: Run): Promise<Person[]> {
  const names = Array.from({ length: PEOPLE }, (_, i) => `${i}`);
  const follows = names.flatMap((_, i) =>
    Array.from({ length: FOLLOWED }, (_, n): [number, number] => [i, (i + 1 + n) % PEOPLE]),
  );
  const graph = { people: names, follows, lines: 0, dropped: { duplicates: 0, selfFollows: 0 } };
  const accounts = await signUpAll(run, graph);
  await followAll(run, graph, accounts);
  return accounts.filter((person) => person !== undefined);
}

await runCommand("redis-changes", () => main(process.argv.slice(2)), USAGE);
