import { limits } from "../../config/limits.ts";
import { firstIdAt, idBefore } from "../../mixins/shard-db/ids.ts";
import { queriesOf } from "../../services/gateway/streams/backfill.ts";
import { advance } from "../../services/gateway/streams/feed.ts";
import { earlier, oldestOf } from "../../services/gateway/streams/id-time.ts";
import { series, WIDTH_MS } from "../../services/tweet/search/counts.ts";
import { parseQuery } from "../../services/tweet/search/query.ts";
import { reachOf, timesOf } from "../../services/tweet/search/reach.ts";
import { sift } from "../../services/tweet/stream/rules.ts";

const NOW = Date.parse("2026-03-08T12:34:56.789Z");
const at = (ms: number) => new Date(ms).toISOString();

describe("what a search goes through", () => {
  it("is the last seven days unless it says otherwise, to the millisecond", () => {
    const whole = reachOf({}, NOW);
    expect(whole.after).toBe(idBefore(firstIdAt(NOW - limits.search.reachMs)));
    expect(timesOf(whole)).toEqual({ startMs: NOW - limits.search.reachMs, endMs: NOW + 1 });
    const hour = reachOf({ start_time: at(NOW - 3_600_000), end_time: at(NOW) }, NOW);
    expect(timesOf(hour)).toEqual({ startMs: NOW - 3_600_000, endMs: NOW });
  });

  it("takes an id before a time", () => {
    const [since_id, until_id] = [firstIdAt(NOW - 5_000), firstIdAt(NOW - 1_000)];
    const asked = { since_id, until_id, start_time: at(0), end_time: at(NOW + 1e9) };
    expect(reachOf(asked, NOW)).toEqual({ after: since_id, before: until_id });
  });
});

describe("the queries of a backfill", () => {
  it("are few, find what the rules find, and are no longer and no deeper than a query may be", () => {
    const deep = `${"(".repeat(limits.search.depth)}deep${")".repeat(limits.search.depth)}`;
    const values = ["a", "b OR c", "x".repeat(limits.search.queryLength - 1), deep, "d -e", "f"];
    const queries = queriesOf(values);
    expect(queries.map(({ query }) => query)).toEqual(["(a) OR (b OR c)", values[2], deep, "(d -e) OR (f)"]);
    expect(queries.map(({ rules }) => rules)).toEqual([2, 1, 1, 2]);
    for (const { query } of queries) expect(() => parseQuery(query)).not.toThrow();
    const many = queriesOf(Array.from({ length: 1_000 }, (_, i) => `past${i}`));
    expect(many.length).toBeLessThan(40);
    expect(Math.max(...many.map(({ query }) => query.length))).toBeLessThanOrEqual(limits.search.queryLength);
  });
});

describe("a series of counts", () => {
  it("has a bucket for each whole hour, the first and the last cut off", () => {
    const startMs = Date.parse("2026-03-08T10:30:00.000Z");
    const slot = Math.floor(startMs / WIDTH_MS.hour);
    expect(
      series({ startMs, endMs: startMs + 2 * WIDTH_MS.hour }, WIDTH_MS.hour, new Map([[slot + 1, 3]])),
    ).toEqual([
      { start: "2026-03-08T10:30:00.000Z", end: "2026-03-08T11:00:00.000Z", tweet_count: 0 },
      { start: "2026-03-08T11:00:00.000Z", end: "2026-03-08T12:00:00.000Z", tweet_count: 3 },
      { start: "2026-03-08T12:00:00.000Z", end: "2026-03-08T12:30:00.000Z", tweet_count: 0 },
    ]);
  });

  it("has no empty bucket at its end", () => {
    const startMs = Date.parse("2026-03-08T10:00:00.000Z");
    expect(series({ startMs, endMs: startMs + WIDTH_MS.hour }, WIDTH_MS.hour, new Map())).toHaveLength(1);
  });
});

describe("new rules", () => {
  it("are refused where they say nothing, are there, come twice or are too many", () => {
    const known = [{ id: "5", value: "cats" }];
    const { accepted, refused } = sift(
      [{ value: "cats" }, { value: "dogs" }, { value: "dogs" }, { value: "-x" }],
      known,
    );
    expect(accepted).toEqual([{ value: "dogs" }]);
    expect(refused).toMatchObject([
      { value: "cats", reason: "duplicate", id: "5" },
      { value: "dogs", reason: "duplicate" },
      { value: "-x", reason: "invalid" },
    ]);
    const full = Array.from({ length: limits.streams.rulesEach }, (_, i) => ({
      id: String(i + 1),
      value: `r${i}`,
    }));
    expect(sift([{ value: "one more" }], full).refused).toMatchObject([{ reason: "cap" }]);
    expect(sift([{ value: `a${" b".repeat(300)}` }], []).refused).toMatchObject([{ reason: "invalid" }]);
  });
});

describe("a look of the feed", () => {
  const shard = (position: string, ...seen: string[]) => ({ position, seen: new Set(seen) });

  it("takes what is new, oldest first, and nothing of a shard that it has not seen before", () => {
    const before = new Map([
      ["s0", shard("50", "40")],
      ["s1", shard("50")],
    ]);
    const { fresh, shards } = advance(before, {
      s0: { position: "90", ids: ["40", "45", "80"] },
      s1: { position: "95", ids: ["60"] },
      s2: { position: "99", ids: ["70"] },
    });
    expect(fresh).toEqual(["45", "60", "80"]);
    expect(shards.get("s2")).toEqual(shard("99", "70"));
  });

  it("leaves a shard that did not answer where it was, and takes no tweet twice that moved to another", () => {
    const before = new Map([
      ["s0", shard("50", "40")],
      ["s1", shard("50")],
    ]);
    const { fresh, shards } = advance(before, { s1: { position: "60", ids: ["40", "55"] } });
    expect(fresh).toEqual(["55"]);
    expect(shards.get("s0")).toEqual(shard("50", "40"));
  });
});

describe("ids as times", () => {
  it("go back by milliseconds, and not beyond the first", () => {
    expect(earlier(firstIdAt(NOW), 1_000)).toBe(firstIdAt(NOW - 1_000));
    expect(earlier("5", 1)).toBe("1");
  });

  it("are compared as numbers", () => {
    expect(oldestOf(["100", "99", "101"])).toBe("99");
    expect(oldestOf([])).toBe("1");
  });
});
