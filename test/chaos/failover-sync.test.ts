import { performance } from "node:perf_hooks";
import { RoostError } from "../../services/contracts/errors.ts";
import { ask, found, peopleOnEach, primaryOf } from "../support/failover.ts";
import { eventually, type Person, Roost } from "../support/roost.ts";
import { type OwnStack, ownStack, shardsOf } from "../support/servers.ts";
import { type Attempt, percentile, Writers } from "../support/writers.ts";

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe("three synchronous shards, each a primary and two replicas, under load", () => {
  let stack: OwnStack;
  let roost: Roost;
  let people: Map<string, Person[]>;
  const said: { line: string; at: number }[] = [];
  const onProgress = (line: string) => void said.push({ line, at: performance.now() });

  beforeAll(async () => {
    stack = await ownStack({
      topology: "sharded",
      replicas: 2,
      sync: true,
      redis: false,
      nats: false,
      keepAlive: true,
    });
    roost = await Roost.start({ shards: shardsOf(stack) });
    await roost.addNode();
    people = await peopleOnEach(roost, 4);
  });
  afterAll(() => roost.stop());

  let writers: Writers;
  const write = () => {
    writers = new Writers(roost, [...people.values()].flat());
  };
  afterEach(() => writers.stop());
  const isServed = (shard: string) => {
    const before = writers.acknowledged(shard).length;
    return eventually(() => writers.acknowledged(shard).length > before + 5, `${shard} takes writes`);
  };
  /** 503s that say when to try again. */
  const refusals = (failures: Attempt[]) =>
    failures.filter(({ error }) => !(error instanceof RoostError && isRefusal(error)));
  const isRefusal = ({ type, data }: RoostError) =>
    type === "UNAVAILABLE" && typeof data === "object" && data !== null && "retryAfter" in data;

  test("a killed primary: no acknowledged write is lost, writes resume by themselves, other shards do not notice", async () => {
    write();
    await isServed("s1");
    const began = performance.now();
    await sleep(2_000);
    const killed = performance.now();
    primaryOf(stack, "s1").kill("SIGKILL");
    await sleep(200);
    await stack.failover("s1", { onProgress });
    await isServed("s1");
    const ended = performance.now();
    await writers.stop();

    const lost = writers.acknowledged().length - (await found(roost, writers.acknowledged())).size;
    expect(lost).toBe(0);
    expect([...writers.failures("s0"), ...writers.failures("s2")]).toEqual([]);
    expect(writers.failures("s1").length).toBeGreaterThan(0);
    expect(refusals(writers.failures("s1"))).toEqual([]);

    const promoted = said.find(({ line }) => line.startsWith("promoted"))?.at ?? 0;
    const first = writers.attempts.find(
      ({ shard, id, at }) => shard === "s1" && id !== undefined && at > promoted,
    );
    const others = (shard: string) => shard !== "s1";
    const [before, during] = [writers.times(others, began, killed), writers.times(others, killed, ended)];
    const ratio = (share: number) => (percentile(during, share) / percentile(before, share)).toFixed(2);
    console.log(
      `failover: ${writers.acknowledged().length} acknowledged, ${lost} lost, ${writers.failures().length} × 503; ` +
        `promoted ${Math.round(promoted - killed)} ms after the kill, first write ${Math.round((first?.at ?? 0) - promoted)} ms after that; ` +
        `other shards p50 × ${ratio(0.5)}, p99 × ${ratio(0.99)}`,
    );
  });

  test("a primary that hangs: its requests are refused, ever faster, others are served; then it serves again by itself", async () => {
    write();
    await isServed("s0");
    const primary = primaryOf(stack, "s0");
    primary.kill("SIGSTOP");
    await eventually(() => writers.failures("s0").length > 40, "refusals");
    await isServed("s1");
    await isServed("s2");
    primary.kill("SIGCONT");
    await isServed("s0");
    await writers.stop();
    expect([...writers.failures("s1"), ...writers.failures("s2")]).toEqual([]);
    expect(refusals(writers.failures("s0"))).toEqual([]);
    const waits = writers
      .failures("s0")
      .map(({ ms }) => ms)
      .sort((a, b) => a - b);
    // Those who had asked before find out by waiting; those who come later are told at once.
    expect(percentile(waits, 0.5)).toBeLessThan(percentile(waits, 1) / 4);
    expect((await found(roost, writers.acknowledged())).size).toBe(writers.acknowledged().length);
  });

  test("one that hangs is replaced, and wakes up: it is marked, gets no quorum, and nothing acknowledged is there alone", async () => {
    write();
    await isServed("s2");
    const old = primaryOf(stack, "s2");
    old.kill("SIGSTOP");
    await stack.failover("s2", { old: "untouched", onProgress });
    await isServed("s2");
    old.kill("SIGCONT");
    const mark = "SELECT deposed_by FROM placement";
    await eventually(async () => (await ask(stack, old, mark))[0]?.deposed_by === 2, "a mark");
    await isServed("s2");
    await writers.stop();
    expect([...writers.failures("s0"), ...writers.failures("s1")]).toEqual([]);
    expect(refusals(writers.failures("s2"))).toEqual([]);
    expect((await found(roost, writers.acknowledged())).size).toBe(writers.acknowledged().length);
  });

  test("afterwards everything that is kept twice agrees", async () => {
    await roost.reopenOracle();
    await roost.settle();
    expect(await roost.audit()).toEqual([]);
  });
});
