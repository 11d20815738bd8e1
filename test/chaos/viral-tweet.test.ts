import { setTimeout as sleep } from "node:timers/promises";
import type { ServiceBroker } from "moleculer";
import { sql } from "../../mixins/shard-db/index.ts";
import { scatter } from "../../mixins/shard-db/scatter.ts";
import { type Person, patiently, Roost } from "../support/roost.ts";

const FANS = 5_000;
const FEWER = 2_000;
const AT_ONCE = 100;

describe("a viral tweet", () => {
  let roost: Roost;
  let nodes: [ServiceBroker, ServiceBroker];
  let fans: Person[];
  let author: Person;
  let id: string;

  beforeAll(async () => {
    roost = await Roost.start({
      shards: 2,
      env: { NATS_URL: process.env.ROOST_TEST_NATS_URL, PG_POOL_SIZE: "20" },
    });
    nodes = [roost.broker, (await roost.addNode()).broker];
    [author, ...fans] = (await roost.people(FANS + 1)) as [Person, ...Person[]];
    ({ id } = await roost.call("tweet.create", { text: "look at this" }, author));
  });
  afterAll(() => roost.stop());

  /** The statements on the tweet's shard that wait for the lock of a row. */
  const rowWaits = async () => {
    const rows = await roost.resources.db.read(
      { id },
      sql<{ query: string }>`
        SELECT query FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock' AND wait_event IN ('tuple', 'transactionid')`,
    );
    return rows.map(({ query }) => query);
  };
  const folded = async () => {
    const rows = await roost.resources.db.read(
      { id },
      sql<{ value: string }>`
      SELECT value FROM counters WHERE subject = ${id} AND name = 'likes'`,
    );
    return Number(rows[0]?.value ?? 0);
  };
  const likeCount = async () => {
    const { tweets } = await roost.call("tweet.get", { ids: [id], with_tweet_metrics: true }, author);
    return tweets[0]?.public_metrics?.like_count ?? Number.NaN;
  };
  const mirrors = async () => {
    const [row] = await roost.resources.db.read(
      { id },
      sql<{ n: number }>`
      SELECT count(*)::int AS n FROM inverse_edges WHERE dst = ${id} AND kind = 'like'`,
    );
    return row?.n ?? Number.NaN;
  };
  /**
   * How many acknowledged likes are not on the tweet's shard yet because that could not be had in time, on a machine that is
   * busy with other things: those are brought about by the outbox. Whoever is counted afterwards is among these or the count.
   */
  const leftToOutbox = async () => {
    const rows = await roost.resources.db.readAll(
      sql<{
        n: number;
      }>`SELECT count(*)::int AS n FROM outbox WHERE kind = 'edge' AND last_error IS NOT NULL`,
    );
    return rows.reduce((sum, { n }) => sum + n, 0);
  };

  /** So many fans do it at once; what is seen meanwhile. */
  async function burst(action: "graph.like" | "graph.unlike", many: number) {
    let [begun, tried, done] = [0, 0, 0];
    const seen = { waits: new Set<string>(), folded: [] as number[], wrong: [] as string[] };
    const all = scatter(fans.slice(0, many), AT_ONCE, async (fan) => {
      begun++;
      const on = nodes[begun % 2];
      await patiently(() => {
        tried++;
        return roost.call(action, { tweet_id: id }, fan, on);
      });
      done++;
    });
    while (done < many) {
      const least = done;
      // What is asked for again may be half done: then it is answered at once, and the outbox does the rest.
      const left = tried - begun + (await patiently(leftToOutbox));
      const [waits, value, count] = await Promise.all([
        patiently(rowWaits),
        patiently(folded),
        patiently(likeCount),
      ]);
      const [low, high] =
        action === "graph.like" ? [least - left, begun] : [FANS - begun, FANS - least + left];
      if (count < low || count > high) seen.wrong.push(`${count}, not ${low} to ${high}`);
      for (const query of waits) seen.waits.add(query);
      seen.folded.push(value);
      await Promise.race([all, sleep(10)]);
    }
    await all;
    return { ...seen, repeats: tried - begun };
  }

  /** Nobody saw a wrong count or waited for a row, and the count is right in the end. */
  async function isCounted({ wrong, waits, repeats }: Awaited<ReturnType<typeof burst>>, likes: number) {
    expect(wrong).toEqual([]);
    expect([...waits]).toEqual([]);
    const left = repeats + (await patiently(leftToOutbox));
    for (const count of [await patiently(likeCount), await patiently(mirrors)])
      expect(Math.abs(count - likes)).toBeLessThanOrEqual(left);
    await roost.settle();
    expect([await patiently(likeCount), await patiently(mirrors)]).toEqual([likes, likes]);
    expect(await roost.audit()).toEqual([]);
  }

  it("liked by 5,000 users in a burst loses none, keeps nobody waiting for a row, and is counted meanwhile", async () => {
    const seen = await burst("graph.like", FANS);
    expect(seen.folded.some((value) => value > 0 && value < FANS)).toBe(true);
    await isCounted(seen, FANS);
  });

  it("loses likes that are taken back in a burst, and no others", async () => {
    await isCounted(await burst("graph.unlike", FEWER), FANS - FEWER);
  });
});
