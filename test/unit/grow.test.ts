import { parseGrowOptions } from "../../bench/grow/options.ts";
import { niceAbove, plot } from "../../bench/grow/plot.ts";
import { type GrowResult, isGood, renderReport } from "../../bench/grow/report.ts";
import { percentile, Series } from "../../bench/grow/series.ts";
import { UsageError } from "../../config/command-line.ts";

const good: GrowResult = {
  seconds: [],
  marks: [{ from: 5, to: 7.5, label: "+ replica" }],
  pauses: [20, 40, 30],
  operations: [],
  errors: [],
  tweets: 12,
  follows: 3,
  lost: [],
  comparison: { users: 2, tweets: 9, differences: [], pendingJobs: 0, deadLetters: 0 },
  findings: [],
};

describe("the report of a run that grows", () => {
  it("is good only where nothing failed, is lost, differs, is left or disagrees", () => {
    expect(isGood(good)).toBe(true);
    const error = { operation: "home", status: "503", count: 1, example: "GET → 503" };
    const { comparison } = good;
    for (const bad of [
      { errors: [error] },
      { lost: ["tweet 1 of a"] },
      { findings: ["a finding"] },
      { comparison: { ...comparison, differences: ["a: lacks 1"] } },
      { comparison: { ...comparison, pendingJobs: 1 } },
      { comparison: { ...comparison, deadLetters: 1 } },
    ]) {
      expect(isGood({ ...good, ...bad })).toBe(false);
    }
  });

  it("tells the steps, the pauses and what was lost", () => {
    const text = renderReport({ ...good, lost: ["tweet 1 of a"] });
    expect(text).toContain("+ replica (2.5 s)");
    expect(text).toContain("held up 3 times: p50 30 ms, p95 40 ms, longest 40 ms");
    expect(text).toContain("12 tweets and 3 follows acknowledged, 1 lost\n  tweet 1 of a");
  });
});

describe("a plot of throughput and latency", () => {
  const seconds = [
    { at: 0, answered: 100, failed: 0, p99: 10 },
    { at: 1, answered: 50, failed: 2, p99: 40 },
  ];

  it("is one SVG with a line for each, the steps and what failed", () => {
    const svg = plot("Growing <live>", seconds, [{ from: 0.5, to: 1.5, label: "+ replica & more" }]);
    expect(svg).toMatch(/^<svg [^>]*>[\s\S]*<\/svg>\n$/);
    expect(svg.match(/<polyline/g)).toHaveLength(2);
    expect(svg.match(/<circle/g)).toHaveLength(1);
    expect(svg).toContain("+ replica &amp; more");
    expect(svg).toContain("Growing &lt;live>");
  });

  it("draws what is more higher, within its panel", () => {
    const svg = plot("t", seconds, []);
    const [first = "", second = ""] = /<polyline points="([^"]*)"/.exec(svg)?.[1]?.split(" ") ?? [];
    const y = (point: string) => Number(point.split(",")[1]);
    expect(y(first)).toBe(70);
    expect(y(second)).toBe(145);
  });

  it("has something to show of nothing", () => {
    expect(plot("t", [], [])).toContain("<svg");
  });

  it("takes round numbers for its scale", () => {
    expect([0, 1, 3, 50, 51, 1234].map(niceAbove)).toEqual([1, 1, 5, 50, 100, 2000]);
  });
});

describe("a series", () => {
  it("takes the nearest rank for a percentile", () => {
    expect(percentile([], 99)).toBe(0);
    expect(percentile([5], 50)).toBe(5);
    expect(percentile([4, 1, 3, 2], 50)).toBe(2);
    expect(percentile([4, 1, 3, 2], 99)).toBe(4);
  });

  it("counts what was answered and what failed in each whole second", () => {
    jest.useFakeTimers({ now: 0 });
    try {
      const series = new Series();
      series.succeeded("home", 10);
      series.failed("home", new Error("no"));
      jest.advanceTimersByTime(2_000);
      expect(series.seconds()).toEqual([
        { at: 0, answered: 1, failed: 1, p99: 10 },
        { at: 1, answered: 0, failed: 0, p99: 0 },
      ]);
    } finally {
      jest.useRealTimers();
    }
  });
});

describe("the options of grow", () => {
  it("have defaults, and name what is wrong", () => {
    expect(parseGrowOptions([])).toMatchObject({ back: false, rest: 10, concurrency: 12 });
    expect(parseGrowOptions(["--help"])).toBeUndefined();
    expect(() => parseGrowOptions(["--rest", "soon"])).toThrow(UsageError);
    expect(() => parseGrowOptions(["more"])).toThrow('expected no arguments, got "more"');
  });
});
