import { idTimeMs } from "../../mixins/shard-db/ids.ts";
import { ask, found, peopleOnEach, primaryOf, replicaOf, stopReceiving } from "../support/failover.ts";
import { eventually, type Person, Roost } from "../support/roost.ts";
import { type OwnStack, ownStack, shardsOf } from "../support/servers.ts";
import { Writers } from "../support/writers.ts";

const ID_EPOCH_MS = 1_288_834_974_657n;
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe("three shards, each a primary and a replica that follows in its own time, under load", () => {
  let stack: OwnStack;
  let roost: Roost;
  let people: Map<string, Person[]>;
  let writers: Writers;
  const everybody = () => [...people.values()].flat();
  const write = () => {
    writers = new Writers(roost, everybody());
  };
  const isServed = (shard: string) => {
    const before = writers.acknowledged(shard).length;
    return eventually(() => writers.acknowledged(shard).length > before + 5, `${shard} takes writes`);
  };
  const isRefused = (shard: string) => {
    const before = writers.failures(shard).length;
    return eventually(() => writers.failures(shard).length > before + 40, `${shard} refuses writes`);
  };
  /** Everybody follows some people of other shards, or nobody any more. */
  const follow = (how: "follow" | "unfollow") =>
    Promise.all(
      everybody().map(async (person, i, all) => {
        for (const step of [4, 5, 8])
          await roost.call(
            `graph.${how}`,
            { target_user_id: all[(i + step) % all.length]?.id ?? "" },
            person,
          );
      }),
    );

  beforeAll(async () => {
    stack = await ownStack({ topology: "sharded", redis: false, nats: false });
    roost = await Roost.start({ shards: shardsOf(stack) });
    await roost.addNode();
    people = await peopleOnEach(roost, 4);
  });
  afterEach(() => writers.stop());
  afterAll(() => roost.stop());

  test("what the replica had not received is lost and counted; the audit mends what it was part of", async () => {
    await follow("follow");
    await stopReceiving(stack, replicaOf(stack, "s1"));
    write();
    await Promise.all([isServed("s1"), follow("unfollow")]);
    const old = primaryOf(stack, "s1");
    old.kill("SIGKILL");
    await stack.failover("s1");
    await isServed("s1");
    await writers.stop();

    const kept = await found(roost, writers.acknowledged());
    const lost = (shard: string) => writers.acknowledged(shard).filter((id) => !kept.has(id)).length;
    expect([lost("s0"), lost("s2")]).toEqual([0, 0]);
    expect(lost("s1")).toBeGreaterThan(0);
    await roost.reopenOracle();
    await roost.settle();
    const findings = await roost.mend();
    console.log(
      `asynchronous failover: ${lost("s1")} of ${writers.acknowledged("s1").length} acknowledged tweets of the shard lost; ` +
        `the audit mended ${findings.length} findings`,
    );
    expect(findings.length).toBeGreaterThan(0);
    expect(await roost.audit()).toEqual([]);
    for (const person of everybody())
      expect(await roost.homeIds(person)).toEqual(await roost.oracle.homeOf(person.id));
  });

  test("an old primary that comes back as it was is never written to, and is marked", async () => {
    write();
    await isServed("s0");
    const old = primaryOf(stack, "s0");
    old.kill("SIGKILL");
    await stack.failover("s0", { old: "untouched" });
    await isServed("s0");
    const since = Date.now();
    await old.restart();
    await eventually(async () => (await markOf(old)) === 2, "a mark");
    await isServed("s0");
    await writers.stop();
    expect(await writtenOn(old, since)).toEqual([]);
    // What was acknowledged right before the kill may be lost: nothing after it may.
    const acknowledged = writers.acknowledged().filter((id) => idTimeMs(id) >= since);
    expect([...(await found(roost, acknowledged))].sort()).toEqual(acknowledged.toSorted());
    await expect(ask(stack, old, "SELECT enter_write('{0}', 1)")).rejects.toThrow(
      "was deposed by timeline 2",
    );
  });

  test("not even while the new primary is out of reach", async () => {
    write();
    await isServed("s2");
    const old = primaryOf(stack, "s2");
    old.kill("SIGKILL");
    await stack.failover("s2", { old: "untouched" });
    await isServed("s2");
    const promoted = primaryOf(stack, "s2");
    promoted.kill("SIGSTOP");
    // Only the old one answers then, and nobody has marked it.
    await isRefused("s2");
    const since = Date.now();
    await old.restart();
    await isRefused("s2");
    await sleep(1_000);
    expect(await markOf(old)).toBe(null);
    expect(await writtenOn(old, since)).toEqual([]);
    promoted.kill("SIGCONT");
    await eventually(async () => (await markOf(old)) === 2, "a mark");
    await isServed("s2");
    await writers.stop();
    expect(await writtenOn(old, since)).toEqual([]);
    // What was acknowledged right before the kill may be lost: nothing after it may.
    const acknowledged = writers.acknowledged().filter((id) => idTimeMs(id) >= since);
    expect([...(await found(roost, acknowledged))].sort()).toEqual(acknowledged.toSorted());
  });

  const markOf = async (server: Parameters<typeof ask>[1]) =>
    (await ask(stack, server, "SELECT deposed_by FROM placement"))[0]?.deposed_by;

  /** What was written on a server since a moment (ms since 1970): tweets, jobs and counts have the time in their ids. */
  const writtenOn = async (server: Parameters<typeof ask>[1], since: number) => {
    const floor = (BigInt(since) - ID_EPOCH_MS) << 22n;
    const tables = ["tweets", "outbox", "counter_deltas"].map((table) => `SELECT id FROM ${table}`);
    return ask(stack, server, `SELECT id FROM (${tables.join(" UNION ALL ")}) rows WHERE id >= ${floor}`);
  };
});
