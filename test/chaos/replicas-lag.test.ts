import { Client as Postgres } from "pg";
import { resourcesOf } from "../../mixins/resources.ts";
import { Client } from "../support/client.ts";
import { listed, metric, through, Writer } from "../support/read-your-writes.ts";
import { eventually, Roost } from "../support/roost.ts";
import { type OwnStack, ownStack, serverUrl, shardsOf } from "../support/servers.ts";

const PAIRS = 1_000;
const MAX_LAG_MS = 2_000;

describe("replicas that lag, behind two gateways and three shards", () => {
  let stack: OwnStack;
  let roost: Roost;
  let gateways: string[];
  let people: Client[];
  let tweets: string[];

  beforeAll(async () => {
    stack = await ownStack({ topology: "sharded", replicas: 2, redis: false, nats: false });
    const env = { NATS_URL: serverUrl("NATS"), REPLICA_MAX_LAG_MS: String(MAX_LAG_MS) };
    roost = await Roost.start({ shards: shardsOf(stack), env });
    const nodes = [
      await roost.addNode({ SERVICES: "gateway" }),
      await roost.addNode({ SERVICES: "gateway" }),
    ];
    gateways = nodes.map(({ port }) => `http://127.0.0.1:${port}`);
    for (const url of gateways)
      await eventually(async () => (await fetch(`${url}/health/ready`)).ok, "ready");
    const run = Date.now().toString(36);
    people = await Promise.all(
      Array.from({ length: 9 }, (_, i) => Client.signUp(gateways[i % 2] ?? "", `p${i}_${run}`)),
    );
    tweets = [];
    for (const person of people) tweets.push(await person.tweet("to be liked"));
    await Promise.all(people.map((person) => listed(person, `/2/users/${person.id}/following`)));
    // By then nobody is new, and the replicas have stood in the rotation long enough.
    await new Promise((resolve) => setTimeout(resolve, MAX_LAG_MS + 1_500));
  });
  afterAll(() => roost.stop());

  const onServer = async (server: string, text: string) => {
    const client = new Postgres({ connectionString: stack.adminUrl(server) });
    await client.connect();
    await client.query(text).finally(() => client.end());
  };
  /** How many of the reads for sessions replicas have answered, of how many. */
  const served = async () => {
    const counts = await Promise.all(
      roost.nodes.map(async ({ broker }) => (await resourcesOf(broker).metrics.dbReads.get()).values),
    );
    const all = counts.flat();
    const sum = (values: typeof all) => values.reduce((total, { value }) => total + value, 0);
    return { replica: sum(all.filter(({ labels }) => labels.by === "replica")), all: sum(all) };
  };
  /** Every writer writes and looks through the other gateway, in turn. Returns the looks that did not show the write. */
  const stalePairs = async (writers: Writer[], from: number, to: number): Promise<string[]> => {
    const stale: string[] = [];
    await Promise.all(
      writers.map(async (writer, w) => {
        for (let n = from + w; n < to; n += writers.length) {
          const pair = writer.pair(Math.floor(n / writers.length));
          await pair.write();
          const reader = through(gateways[n % 2] ?? "", writer.me);
          if (!(await pair.shows(reader))) stale.push(pair.name);
        }
      }),
    );
    return stale;
  };

  it("show everybody what they wrote: 1,000 writes and reads, with replay delayed, paused and going on", async () => {
    const writers = people.map(
      (me) =>
        new Writer(
          me,
          people.filter((other) => other !== me),
          tweets.filter((tweet) => !tweets.includes(me.id) && tweet !== tweets[people.indexOf(me)]),
        ),
    );
    // Each has tweeted once already.
    for (const shard of ["s0", "s1", "s2"])
      await onServer(`pg-${shard}-1`, "ALTER SYSTEM SET recovery_min_apply_delay = '300ms'").then(() =>
        onServer(`pg-${shard}-1`, "SELECT pg_reload_conf()"),
      );
    const stale = await stalePairs(writers, 0, PAIRS / 2);
    for (const shard of ["s0", "s2"]) await onServer(`pg-${shard}-2`, "SELECT pg_wal_replay_pause()");
    stale.push(...(await stalePairs(writers, PAIRS / 2, (PAIRS * 3) / 4)));
    for (const shard of ["s0", "s2"]) await onServer(`pg-${shard}-2`, "SELECT pg_wal_replay_resume()");
    stale.push(...(await stalePairs(writers, (PAIRS * 3) / 4, PAIRS)));
    expect(stale).toEqual([]);
  });

  it("never take a session back in time, whichever gateway it asks and whichever replica comes and goes", async () => {
    const [reader, author, ...fans] = people as [Client, Client, ...Client[]];
    const tweet = await author.tweet("seen ever more often");
    const path = `/2/tweets/${tweet}?tweet.fields=public_metrics`;
    const seen: number[] = [];
    let done = false;
    const looking = (async () => {
      for (let n = 0; !done; n++)
        seen.push(await metric(through(gateways[n % 2] ?? "", reader), path, "bookmark_count"));
    })();
    const shard = roost.resources.db.shardOf({ id: tweet });
    const like = (fan: Client) => fan.request("POST", `/2/users/${fan.id}/bookmarks`, { tweet_id: tweet });
    for (const [n, fan] of fans.entries()) {
      if (n === 2) await onServer(`pg-${shard}-2`, "SELECT pg_wal_replay_pause()");
      if (n === 5) await onServer(`pg-${shard}-2`, "SELECT pg_wal_replay_resume()");
      await like(fan);
      await new Promise((resolve) => setTimeout(resolve, 700));
    }
    await eventually(() => seen.at(-1) === fans.length, "the reader sees all of them");
    done = true;
    await looking;
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  });

  it("answer more than 80% of the reads of a mix with a write in twenty, one in two with a delay", async () => {
    await new Promise((resolve) => setTimeout(resolve, MAX_LAG_MS + 500));
    const before = await served();
    const tweet = tweets[0] ?? "";
    const reads = [
      (p: Client) => `/2/users/${p.id}/followers`,
      (p: Client) => `/2/users/${p.id}?user.fields=public_metrics`,
      (p: Client) => `/2/users/${p.id}/timelines/reverse_chronological?tweet.fields=public_metrics`,
      (p: Client) => `/2/users/${p.id}/liked_tweets`,
      () => `/2/tweets/${tweet}?tweet.fields=public_metrics`,
    ];
    await Promise.all(
      people.map(async (person, p) => {
        for (let n = 0; n < 100; n++) {
          const me = through(gateways[n % 2] ?? "", person);
          if (n % 20 === 19) await me.tweet(`mix ${n}`);
          else expect((await me.request("GET", reads[(n + p) % reads.length]?.(me) ?? "")).status).toBe(200);
        }
      }),
    );
    const after = await served();
    const share = (after.replica - before.replica) / (after.all - before.all);
    console.log(`replicas served ${(100 * share).toFixed(1)}% of ${after.all - before.all} reads`);
    expect(share).toBeGreaterThan(0.8);
  });
});
