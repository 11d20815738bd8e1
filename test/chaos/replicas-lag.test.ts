import { Client as Postgres } from "pg";
import { resourcesOf } from "../../mixins/resources.ts";
import { sql } from "../../mixins/shard-db/index.ts";
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
    await new Promise((resolve) => setTimeout(resolve, MAX_LAG_MS + 2_500));
  });
  afterAll(() => roost.stop());

  const onServer = async (server: string, text: string) => {
    const client = new Postgres({ connectionString: stack.adminUrl(server) });
    await client.connect();
    await client.query(text).finally(() => client.end());
  };
  /** From now on a replica replays everything so much later. */
  const delay = async (shard: string, replica: number, ms: number) => {
    const server = `pg-${shard}-${replica}`;
    await onServer(server, `ALTER SYSTEM SET recovery_min_apply_delay = '${ms}ms'`);
    await onServer(server, "SELECT pg_reload_conf()");
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
    for (const shard of ["s0", "s1", "s2"]) await delay(shard, 1, 300);
    const stale = await stalePairs(writers, 0, PAIRS / 2);
    for (const shard of ["s0", "s2"]) await onServer(`pg-${shard}-2`, "SELECT pg_wal_replay_pause()");
    stale.push(...(await stalePairs(writers, PAIRS / 2, (PAIRS * 3) / 4)));
    for (const shard of ["s0", "s2"]) await onServer(`pg-${shard}-2`, "SELECT pg_wal_replay_resume()");
    stale.push(...(await stalePairs(writers, (PAIRS * 3) / 4, PAIRS)));
    expect(stale).toEqual([]);
  });

  it("never take a session back in time, whichever gateway it asks and whichever replica comes and goes", async () => {
    const [author, ...readers] = people as [Client, ...Client[]];
    const path = `/2/users/${author.id}?user.fields=public_metrics`;
    const shard = roost.resources.db.shardOf(author);
    await delay(shard, 1, 400);
    await delay(shard, 2, 200);
    let done = false;
    const writing = (async () => {
      for (let n = 0; !done; n++) await author.tweet(`more and more ${n}`);
    })();
    const seen = readers.map(async (reader, r) => {
      const counts: number[] = [];
      for (let n = r; !done; n++) {
        counts.push(await metric(through(gateways[n % 2] ?? "", reader), path, "tweet_count"));
        // For a while after a write the primary answers, which is ahead of the replicas.
        if (n % 15 === 0)
          await reader.request("POST", `/2/users/${reader.id}/following`, { target_user_id: author.id });
        if (n % 15 === 7) await reader.request("DELETE", `/2/users/${reader.id}/following/${author.id}`);
      }
      return counts;
    });
    for (const change of ["pause", "resume"]) {
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      await onServer(`pg-${shard}-2`, `SELECT pg_wal_replay_${change}()`);
    }
    await new Promise((resolve) => setTimeout(resolve, MAX_LAG_MS));
    done = true;
    await writing;
    for (const counts of await Promise.all(seen)) {
      expect(counts.at(-1)).toBeGreaterThan(counts[0] ?? 0);
      expect(counts).toEqual(counts.toSorted((a, b) => a - b));
    }
  });

  it("have everything by now where it is kept for others, or leave it to the primary", async () => {
    const { db } = roost.resources;
    const at = { bucket: 77 };
    const shard = db.shardOf(at);
    const write = (n: number) =>
      db.write(
        at,
        sql`INSERT INTO counters (subject, name, value) VALUES (${77 << 12}, 'seen', ${n})
                       ON CONFLICT (subject, name) DO UPDATE SET value = ${n}`,
      );
    const read = () =>
      db.read(
        at,
        sql<{ value: string }>`SELECT value FROM counters WHERE subject = ${77 << 12} AND name = 'seen'`,
        { from: "latest" },
      );
    const seesWrite = async (n: number) => {
      await write(n);
      expect(await read()).toEqual([{ value: String(n) }]);
    };
    // Whoever's shard the tests before have delayed.
    await delay(shard, 1, 300);
    await delay(shard, 2, 0);
    const before = await served();
    for (let n = 0; n < 100; n++) {
      if (n === 30)
        for (const i of [1, 2]) await onServer(`pg-${shard}-${i}`, "SELECT pg_wal_replay_pause()");
      if (n === 70)
        for (const i of [1, 2]) await onServer(`pg-${shard}-${i}`, "SELECT pg_wal_replay_resume()");
      await seesWrite(n);
    }
    await eventually(async () => {
      await seesWrite(100);
      return (await served()).replica > before.replica;
    }, "a replica that has everything by now");
    await db.write(at, sql`DELETE FROM counters WHERE subject = ${77 << 12}`);
  });

  it("answer more than 80% of the reads of a mix with a write in twenty", async () => {
    for (const shard of ["s0", "s1", "s2"]) for (const replica of [1, 2]) await delay(shard, replica, 0);
    await new Promise((resolve) => setTimeout(resolve, MAX_LAG_MS + 2_500));
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
