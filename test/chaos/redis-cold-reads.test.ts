import type { ServiceBroker } from "moleculer";
import pg from "pg";
import { limits } from "../../config/limits.ts";
import { bucketOf } from "../../mixins/shard-db/ids.ts";
import { sql } from "../../mixins/shard-db/index.ts";
import { scatter } from "../../mixins/shard-db/scatter.ts";
import { eventually, type Person, Roost } from "../support/roost.ts";
import { serverUrl } from "../support/servers.ts";

// How fast this machine is does not matter here: nobody is sent away for having waited.
jest.mock("../../config/limits.ts", () => {
  const { limits } = jest.requireActual("../../config/limits.ts");
  return { limits: { ...limits, builds: { ...limits.builds, waitMs: 0x7fff_ffff } } };
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
  /** Connections to each shard, and one that sees them all. */
  let inTheWay: pg.Client[];
  const watcher = new pg.Client(serverUrl("PG"));
  beforeAll(async () => {
    roost = await Roost.start({ shards: 2 });
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
    inTheWay = roost.shards.topology.shards.map(({ primary }) => new pg.Client(primary));
    await Promise.all([...inTheWay, watcher].map((client) => client.connect()));
  });
  afterAll(async () => {
    await Promise.all([...inTheWay, watcher].map((client) => client.end()));
    await roost.stop();
  });

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
  const read = async (viewer: Person, on: ServiceBroker) => {
    const { tweets } = await roost.call("timeline.home", { user_id: viewer.id, limit: PAGE }, viewer, on);
    return tweets.map(({ id }) => id);
  };
  const onEveryShard = (text: string) => Promise.all(inTheWay.map((client) => client.query(text)));
  /** How many statements of one node wait for a lock, on the shard where that is most. */
  const mostHeldUp = async (): Promise<number> => {
    const { rows } = await watcher.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM pg_stat_activity
       WHERE datname = ANY($1) AND wait_event_type = 'Lock' GROUP BY datname, application_name ORDER BY n DESC`,
      [inTheWay.map(({ database }) => database)],
    );
    return rows[0]?.n ?? 0;
  };

  it("cause one build each and few statements, however many requests each of them sends", async () => {
    const sent = jest.spyOn(pg.Client.prototype, "query");
    const pages = await Promise.all(
      viewers.map((viewer) =>
        Promise.all(
          roost.nodes.flatMap(({ broker }) => Array.from({ length: REQUESTS }, () => read(viewer, broker))),
        ),
      ),
    );
    const statements = sent.mock.calls.length;
    sent.mockRestore();
    expect(await roost.counted("homeBuilds", "published")).toBe(VIEWERS);
    expect(await roost.counted("homeBuilds", "refused")).toBe(0);
    expect(statements / VIEWERS).toBeLessThan(10);
    for (const [i, [first, ...others]] of pages.entries()) {
      expect(first).toHaveLength(PAGE);
      for (const other of others) expect(other).toEqual(first);
      const { id } = viewers[i] as Person;
      if (i % 20 === 0) expect(first).toEqual((await roost.oracle.homeOf(id)).slice(0, PAGE));
    }
  });

  it("leave connections to Postgres for others, however slow it is", async () => {
    const { redis } = roost.resources;
    const cold = viewers.slice(0, 100);
    await redis?.delete(cold.map(({ id }) => redis.keys.home(id)));
    await onEveryShard("BEGIN; LOCK TABLE tweets IN ACCESS EXCLUSIVE MODE");
    const pages = cold.map((viewer) => read(viewer, roost.broker));
    await eventually(
      async () => (await mostHeldUp()) >= limits.builds.atOnce,
      "builds that Postgres holds up",
    );
    const [viewer] = cold as [Person];
    const follows = { user_id: viewer.id, kind: "follow", direction: "out", limit: 10 } as const;
    expect((await roost.call("graph.list", follows, viewer)).users).toHaveLength(FOLLOWED);
    expect(await mostHeldUp()).toBe(limits.builds.atOnce);
    await onEveryShard("COMMIT");
    for (const page of await Promise.all(pages)) expect(page).toHaveLength(PAGE);
  });
});
