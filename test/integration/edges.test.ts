import { sql } from "../../mixins/shard-db/index.ts";
import type { Id } from "../../services/contracts/users.ts";
import { addEdge, type EdgeKey, mirrorEdge, removeEdge } from "../../services/graph/edges.repo.ts";
import { eventually, type Person, patiently, Roost } from "../support/roost.ts";

interface Row {
  src: Id;
  kind: string;
  dst: Id;
}

describe("edges between users on any shards", () => {
  let roost: Roost;
  beforeAll(async () => {
    roost = await Roost.start({ shards: 3, services: ["user", "graph"] });
  });
  afterAll(() => roost.stop());

  const forward = () => roost.resources.db.readAll(sql<Row>`SELECT src, kind::text, dst FROM edges`);
  const mirrors = () => roost.resources.db.readAll(sql<Row>`SELECT src, kind::text, dst FROM inverse_edges`);
  const named = (rows: Row[], people: Person[]) => {
    const ids = new Set(people.map(({ id }) => id));
    return rows.flatMap(({ src, kind, dst }) => (ids.has(src) ? `${src} ${kind} ${dst}` : [])).sort();
  };
  const metrics = async (person: Person) => {
    const [user] = await roost.call("user.get", { ids: [person.id], with_metrics: true });
    return [user?.public_metrics?.following_count, user?.public_metrics?.followers_count];
  };
  const two = async () => (await roost.people(2)) as [Person, Person];

  it("are mirrored when the answer comes, and counted once however often they are asked for", async () => {
    const [a, b] = await two();
    for (let i = 0; i < 3; i++) await roost.call("graph.follow", { target_user_id: b.id }, a);
    expect(named(await mirrors(), [a])).toEqual([`${a.id} follow ${b.id}`]);
    expect([await metrics(a), await metrics(b)]).toEqual([
      [1, 0],
      [0, 1],
    ]);
    for (let i = 0; i < 3; i++) await roost.call("graph.unfollow", { target_user_id: b.id }, a);
    expect(named(await mirrors(), [a])).toEqual([]);
    expect([await metrics(a), await metrics(b)]).toEqual([
      [0, 0],
      [0, 0],
    ]);
  });

  it("are listed newest first, page by page and back", async () => {
    const [me, ...others] = (await roost.people(8)) as [Person, ...Person[]];
    for (const other of others) await roost.call("graph.follow", { target_user_id: me.id }, other);
    const list = (cursor?: string) =>
      roost.call("graph.list", { user_id: me.id, kind: "follow", direction: "in", limit: 3, cursor }, me);
    const pages = [await list()];
    while (pages.at(-1)?.next_cursor) pages.push(await list(pages.at(-1)?.next_cursor));
    const newest = others.map(({ id }) => id);
    expect(pages.map(({ users }) => users.length)).toEqual([3, 3, 1]);
    expect(pages.flatMap(({ users }) => users.map(({ id }) => id)).sort()).toEqual(newest.sort());
    expect((await list(pages[1]?.previous_cursor)).users).toEqual(pages[0]?.users);
  });

  it("of a block end the follows both ways, for good", async () => {
    const [a, b] = await two();
    await roost.call("graph.follow", { target_user_id: b.id }, a);
    await roost.call("graph.follow", { target_user_id: a.id }, b);
    await roost.call("graph.block", { target_user_id: b.id }, a);
    expect(named(await forward(), [a, b])).toEqual([`${a.id} block ${b.id}`]);
    await roost.settle();
    expect(named(await mirrors(), [a, b])).toEqual([`${a.id} block ${b.id}`]);
    expect([await metrics(a), await metrics(b)]).toEqual([
      [0, 0],
      [0, 0],
    ]);
    for (const [who, whom] of [
      [a, b],
      [b, a],
    ] as const) {
      await expect(roost.call("graph.follow", { target_user_id: whom.id }, who)).rejects.toMatchObject({
        type: "FORBIDDEN",
      });
    }
    await roost.call("graph.unblock", { target_user_id: b.id }, a);
    await roost.call("graph.follow", { target_user_id: a.id }, b);
    await roost.settle();
    expect(named(await mirrors(), [a, b])).toEqual([`${b.id} follow ${a.id}`]);
  });

  it("cannot be made to oneself or to nobody, and the error names the field", async () => {
    const [a] = await two();
    const nobody = String(BigInt(a.id) + (5n << 22n));
    await expect(roost.call("graph.follow", { target_user_id: a.id }, a)).rejects.toMatchObject({
      type: "INVALID_REQUEST",
      data: { errors: [{ parameters: { target_user_id: [a.id] } }] },
    });
    await expect(roost.call("graph.mute", { target_user_id: nobody }, a)).rejects.toMatchObject({
      type: "NOT_FOUND",
    });
  });

  it("are finished by the outbox where the request could not", async () => {
    const [a, b] = await two();
    const edge: EdgeKey = { src: a.id, kind: "follow", dst: b.id };
    // As if the process had died right after its commit.
    await addEdge(roost.resources.db, edge);
    expect(named(await mirrors(), [a])).toEqual([]);
    await eventually(async () => named(await mirrors(), [a]).length === 1, "the mirror");
    expect(await metrics(b)).toEqual([0, 1]);
  });

  it("converge when late reconciliations come twice and out of order", async () => {
    const { db } = roost.resources;
    const [a, b] = await two();
    const edge: EdgeKey = { src: a.id, kind: "follow", dst: b.id };
    await addEdge(db, edge);
    await removeEdge(db, edge);
    await Promise.all([mirrorEdge(db, edge), mirrorEdge(db, edge)]);
    await addEdge(db, edge);
    await Promise.all([mirrorEdge(db, edge), mirrorEdge(db, edge), mirrorEdge(db, edge)]);
    expect(named(await mirrors(), [a])).toEqual([`${a.id} follow ${b.id}`]);
    expect([await metrics(a), await metrics(b)]).toEqual([
      [1, 0],
      [0, 1],
    ]);
  });

  it("are looked at under the lock of their mirror: what changed while it was waited for counts", async () => {
    const { db } = roost.resources;
    const people = await roost.people(12);
    // On two shards, so that the lock of the mirror does not hold up the change.
    const [a] = people as [Person];
    const b = people.find((person) => db.shardOf(person) !== db.shardOf(a)) as Person; // twelve people are on all shards
    for (const kind of ["follow", "mute"] as const) {
      const edge: EdgeKey = { src: a.id, kind, dst: b.id };
      await addEdge(db, edge);
      let mirrored: Promise<unknown> = Promise.resolve();
      await db.transaction(b, async (tx) => {
        const name = kind === "follow" ? [a.id, b.id].sort().join(" ") : `${a.id} ${kind} ${b.id}`;
        await tx.query(sql`SELECT pg_advisory_xact_lock(2, hashtext(${name}))`);
        mirrored = mirrorEdge(db, edge);
        await eventually(async () => (await lockWaits(b)) > 0, "a reconciliation that waits for the lock");
        await removeEdge(db, edge);
      });
      await mirrored;
      expect(named(await mirrors(), [a])).toEqual([]);
    }
    expect(await metrics(b)).toEqual([0, 0]);
  });

  /** How many statements on somebody's shard wait for an advisory lock. */
  const lockWaits = async (person: Person) => {
    const [row] = await roost.resources.db.read(
      person,
      sql<{ n: number }>`SELECT count(*)::int AS n FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    );
    return row?.n ?? 0;
  };

  it("agree with their mirrors and counters after many clients toggled them at once", async () => {
    const people = await roost.people(4);
    const random = (list: readonly Person[]) => list[Math.floor(Math.random() * list.length)] as Person;
    const actions = ["follow", "follow", "unfollow", "block", "unblock", "mute", "unmute"] as const;
    const client = async () => {
      for (let i = 0; i < 15; i++) {
        const [who, whom] = [random(people), random(people)];
        if (who === whom) continue;
        const action = actions[Math.floor(Math.random() * actions.length)] ?? "follow";
        const act = () => roost.call(`graph.${action}`, { target_user_id: whom.id }, who);
        await patiently(act).catch((error) => {
          if (error.type !== "FORBIDDEN") throw error;
        });
      }
    };
    await Promise.all(Array.from({ length: 24 }, client));
    await roost.settle();
    const truth = named(await forward(), people);
    expect(named(await mirrors(), people)).toEqual(truth);
    for (const block of truth.filter((edge) => edge.includes("block"))) {
      const [src, , dst] = block.split(" ");
      expect(truth).not.toContain(`${src} follow ${dst}`);
      expect(truth).not.toContain(`${dst} follow ${src}`);
    }
    for (const person of people) {
      const follows = truth.filter((edge) => edge.includes("follow"));
      expect(await metrics(person)).toEqual([
        follows.filter((edge) => edge.startsWith(person.id)).length,
        follows.filter((edge) => edge.endsWith(person.id)).length,
      ]);
    }
  });
});
