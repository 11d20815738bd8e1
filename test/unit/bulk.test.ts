import { byFollowee, degrees, type FollowGraph } from "../../bench/bulk/graph.ts";
import { IdSeries } from "../../bench/bulk/ids.ts";
import { parseBulkCommand } from "../../bench/bulk/options.ts";
import { People } from "../../bench/bulk/people.ts";
import { powerLawGraph } from "../../bench/bulk/power-law.ts";
import { bucketOf, bucketOfHandle, idTimeMs, isId } from "../../mixins/shard-db/ids.ts";

const PEOPLE = 8_000;
const pairs = ({ people, follower, followee }: FollowGraph) =>
  Array.from(follower, (person, i) => person * people + (followee[i] ?? 0));

describe("a power-law graph", () => {
  const graph = powerLawGraph({ people: PEOPLE, meanFollows: 15, seed: 7 });

  it("is the same for the same seed, and another one for another", () => {
    const again = (seed: number) => pairs(powerLawGraph({ people: PEOPLE, meanFollows: 15, seed })).join();
    expect(again(7) === pairs(graph).join()).toBe(true);
    expect(again(8) === pairs(graph).join()).toBe(false);
  });

  it("has nobody follow themself, or anybody twice", () => {
    expect(new Set(pairs(graph)).size).toBe(graph.follower.length);
    expect(graph.follower.some((person, i) => person === graph.followee[i])).toBe(false);
  });

  it("has about as many follows as asked for", () => {
    expect(graph.follower.length / PEOPLE).toBeCloseTo(15, 0);
  });

  it("has a tail of followers that falls like a power law of the exponent 2.276", () => {
    const sorted = degrees(PEOPLE, graph.followee).sort().reverse();
    // rank ∝ followers^-(γ-1), between ranks 20 and 1000
    const slope = Math.log(1000 / 20) / Math.log((sorted[19] ?? 0) / (sorted[999] ?? 1));
    expect(slope).toBeGreaterThan(1.1);
    expect(slope).toBeLessThan(1.45);
  });

  it("may be too small for what is asked", () => {
    expect(powerLawGraph({ people: 1, meanFollows: 9, seed: 1 }).follower).toHaveLength(0);
    const small = powerLawGraph({ people: 3, meanFollows: 9, seed: 1 });
    expect(small.follower.length).toBeLessThanOrEqual(6);
  });

  it("lists its follows by followee as well", () => {
    const small = powerLawGraph({ people: 50, meanFollows: 5, seed: 1 });
    const order = byFollowee(small);
    const sorted = pairs(small).sort((a, b) => (a % 50) - (b % 50) || a - b);
    expect(Array.from(order, (i) => pairs(small)[i])).toEqual(sorted);
  });
});

describe("ids of what is loaded", () => {
  const [from, until] = [Date.UTC(2024, 1, 1), Date.UTC(2024, 2, 1)];

  it("are ids as Postgres makes them: time, bucket, sequence", () => {
    const series = new IdSeries({ from, until }, 1_000, 4_095);
    for (const [i, bucket] of [[0, 0] as const, [1, 1_023] as const, [999, 512] as const]) {
      const id = series.id(i, bucket);
      expect(isId(id)).toBe(true);
      expect(bucketOf(id)).toBe(bucket);
      expect(BigInt(id) & 4_095n).toBe(4_095n);
      expect(idTimeMs(id)).toBe(from + Math.floor((i * (until - from)) / 1_000));
    }
  });

  it("grow", () => {
    const series = new IdSeries({ from, until }, 100, 0);
    const ids = Array.from({ length: 100 }, (_, i) => series.id(i, (i * 37) % 1_024));
    expect(ids).toEqual([...new Set(ids)].sort());
  });

  it("need a millisecond each", () => {
    expect(() => new IdSeries({ from: 0, until: 10 }, 11, 0)).toThrow(RangeError);
  });

  it("carry the bucket of the handle", () => {
    const people = new People(20, "x", { from, until }, 3);
    for (let i = 0; i < 20; i++) expect(bucketOf(people.id(i))).toBe(bucketOfHandle(`x${i}`));
  });
});

describe("the arguments of `npm run bulk`", () => {
  const parse = (...args: string[]) => parseBulkCommand(args, {});

  it("name a graph, or how to make one", () => {
    expect(parse("--graph", "g", "--directed")?.source).toEqual({ graph: "g", directed: true });
    expect(parse("--power-law", "1000000")?.source).toEqual({ people: 1_000_000, meanFollows: 18 });
    expect(parse("--help")).toBeUndefined();
  });

  it.each([
    [[], "either --graph FILE or --power-law USERS"],
    [["--graph", "g", "--power-law", "5"], "either --graph FILE or --power-law USERS"],
    [["--graph", "g", "--follows", "5"], "--follows"],
    [["--power-law", "5", "--directed"], "--directed"],
    [["--power-law", "0"], "--power-law"],
    [["--power-law", "5", "--prefix", "with space"], "--prefix"],
    [["--power-law", "5", "--password", "short"], "--password"],
    [["--power-law", "5", "--colour", "red"], "--colour"],
  ])("are refused where they make no sense: %j", (args, reason) => {
    expect(() => parse(...args)).toThrow(reason);
  });
});
