import { setImmediate as turn } from "node:timers/promises";
import type { ServiceBroker } from "moleculer";
import pg from "pg";
import { limits } from "../../config/limits.ts";
import { bucketOf } from "../../mixins/shard-db/ids.ts";
import { sql } from "../../mixins/shard-db/index.ts";
import { scatter } from "../../mixins/shard-db/scatter.ts";
import { HeldTable } from "../support/held-table.ts";
import { eventually, type Person, Roost } from "../support/roost.ts";

// How fast this machine is does not matter here: nobody is sent away for having waited, and no lease dies of it.
jest.mock("../../config/limits.ts", () => {
  const { limits } = jest.requireActual("../../config/limits.ts");
  return {
    limits: { ...limits, leaseMs: 120_000, coldReads: { ...limits.coldReads, waitMs: 0x7fff_ffff } },
  };
});

const VIEWERS = 1_000;
const AUTHORS = 40;
const FOLLOWED = 5;
const TWEETS = 10;
const PAGE = 10;
/** Requests that each viewer sends at once, to each node. */
const REQUESTS = 2;

describe("a thousand viewers who read cold at once, on two nodes", () => {
  let roost: Roost;
  let viewers: Person[];
  beforeAll(async () => {
    roost = await Roost.start({ shards: 2, env: { PG_POOL_SIZE: "10" } });
    await roost.addNode();
    for (const { broker } of roost.nodes) broker.options.requestTimeout = 0;
    const authors = await roost.people(AUTHORS);
    viewers = await roost.people(VIEWERS);
    await follow(
      viewers.flatMap(({ id: src }, i) => circle(authors, i).map(({ id: dst }) => ({ src, dst }))),
    );
    await scatter(authors, 8, ({ id }) =>
      roost.resources.db.write(
        { id },
        sql`INSERT INTO tweets (id, author_id, text)
            SELECT next_id(${bucketOf(id)}), ${id}, 'hello' FROM generate_series(1, ${TWEETS})`,
      ),
    );
  });
  afterAll(() => roost.stop());

  const circle = (authors: Person[], i: number) =>
    Array.from({ length: FOLLOWED }, (_, n) => authors[(i + n) % AUTHORS] as Person);
  /** Forward rows alone: nothing is fanned out here. */
  const follow = async (edges: { src: string; dst: string }[]) => {
    const { db } = roost.resources;
    for (const [shard, group] of Map.groupBy(edges, ({ src }) => db.shardOf({ id: src }))) {
      const [src, dst] = [group.map((edge) => edge.src), group.map((edge) => edge.dst)];
      await db.transactionOn(shard, async (tx) => {
        await tx.enter(src);
        await tx.query(sql`INSERT INTO edges (src, kind, dst, id)
          SELECT src, 'follow', dst, next_id(bucket_of(src)) FROM unnest(${src}::bigint[], ${dst}::bigint[]) AS edge (src, dst)`);
      });
    }
  };
  /** Requests arrive over sockets: some in each turn of the event loop. */
  const arrival = async (i: number) => {
    for (let turns = Math.floor(i / 20); turns > 0; turns--) await turn();
  };
  const read = async (viewer: Person, on: ServiceBroker) => {
    const page = await roost.call("timeline.home", { user_id: viewer.id, limit: PAGE }, viewer, on);
    return page.tweets.map(({ id }) => id);
  };

  it("cause one build each and few statements, however many requests each of them sends", async () => {
    const sent = jest.spyOn(pg.Client.prototype, "query");
    const pages = await Promise.all(
      viewers.map(async (viewer, i) => {
        await arrival(i);
        return Promise.all(
          roost.nodes.flatMap(({ broker }) => Array.from({ length: REQUESTS }, () => read(viewer, broker))),
        );
      }),
    );
    // What a timeline is made of; nodes look at their servers and the outbox besides, for as long as it takes.
    const statements = sent.mock.calls.filter(([asked]) =>
      /\b(edges|tweets|pull_authors)\b/.test(textOf(asked)),
    ).length;
    sent.mockRestore();
    expect(await roost.counted("homeBuilds", "published")).toBe(VIEWERS);
    expect(await roost.counted("homeBuilds", "refused")).toBe(0);
    expect(statements / VIEWERS).toBeGreaterThan(2);
    expect(statements / VIEWERS).toBeLessThan(8);
    for (const [i, [first, ...others]] of pages.entries()) {
      expect(first).toHaveLength(PAGE);
      for (const other of others) expect(other).toEqual(first);
      const { id } = viewers[i] as Person;
      if (i % 20 === 0) expect(first).toEqual((await roost.oracle.homeOf(id)).slice(0, PAGE));
    }
  });

  it("wait for a build of their own process that is under way, instead of trying as well", async () => {
    const [viewer] = viewers as [Person];
    const attempts = async () =>
      (await roost.counted("homeBuilds", "published")) + (await roost.counted("homeBuilds", "building"));
    const before = await attempts();
    await roost.store.delete([roost.store.keys.home(viewer.id)]);
    await Promise.all(Array.from({ length: 50 }, () => read(viewer, roost.broker)));
    expect(await attempts()).toBe(before + 1);
  });

  it("leave connections to Postgres for others, however slow it is", async () => {
    await roost.store.delete(viewers.map(({ id }) => roost.store.keys.home(id)));
    await leaveConnections(roost, viewers.slice(0, 100), FOLLOWED);
  });
});

describe("many viewers who read without Redis", () => {
  let roost: Roost;
  beforeAll(async () => {
    roost = await Roost.start({ shards: 1, redisUrl: "none", env: { PG_POOL_SIZE: "10" } });
  });
  afterAll(() => roost.stop());

  it("leave connections to Postgres for others, however slow it is", async () => {
    await leaveConnections(roost, await roost.people(100), 0);
  });
});

/** The SQL of what a client is asked to send. */
const textOf = (asked: unknown): string => (typeof asked === "string" ? asked : String(Object(asked).text));

async function leaveConnections(roost: Roost, viewers: Person[], following: number): Promise<void> {
  const tweets = await HeldTable.of(roost.shards, "tweets");
  await tweets.hold();
  const pages = Promise.all(viewers.map((viewer) => roost.home(viewer)));
  const { atOnce } = limits.coldReads;
  await eventually(async () => (await tweets.waiting()) >= atOnce, "reads that Postgres holds up");
  const [viewer] = viewers as [Person];
  const follows = { user_id: viewer.id, kind: "follow", direction: "out", limit: 10 } as const;
  expect((await roost.call("graph.list", follows, viewer)).users).toHaveLength(following);
  expect(await tweets.waiting()).toBe(atOnce);
  await tweets.release();
  await pages;
  await tweets.close();
}
