import { RequestError } from "../../bench/load/client.ts";
import { sample, seededRandom } from "../../bench/load/random.ts";
import { Recorder } from "../../bench/load/recorder.ts";
import { isGood, type LoadResult, renderReport } from "../../bench/load/report.ts";

describe("the recorder", () => {
  it("counts requests, failures and throughput by operation", async () => {
    const recorder = new Recorder();
    for (let ms = 1; ms <= 100; ms++) recorder.succeeded("home", ms);
    await recorder.time("home", () => Promise.reject(new RequestError("GET /x", "503", "{}")));
    recorder.lasted(["home", "user"], 2_000);
    const [home, ...others] = recorder.operations();
    expect(others).toEqual([]);
    expect(home).toMatchObject({ name: "home", requests: 101, errors: 1, perSecond: 50 });
    expect(home?.p50).toBeCloseTo(50, 0);
    expect(home?.p99).toBeCloseTo(99, 0);
  });

  it("keeps one example of each kind of failure", () => {
    const recorder = new Recorder();
    recorder.failed("home", new RequestError("GET /a", "503", "first"));
    recorder.failed("home", new RequestError("GET /b", "503", "second"));
    recorder.failed("home", new RequestError("GET /c", "ECONNRESET", ""));
    recorder.failed("compose", new TypeError("no id"));
    expect(recorder.errorCount()).toBe(4);
    expect(recorder.errors()).toEqual([
      { operation: "home", status: "503", count: 2, example: "GET /a → 503 first" },
      { operation: "home", status: "ECONNRESET", count: 1, example: "GET /c → ECONNRESET" },
      { operation: "compose", status: "wrong answer", count: 1, example: "no id" },
    ]);
  });
});

describe("the report", () => {
  const result = (change: Partial<LoadResult>): LoadResult => ({
    graph: { file: "g", people: 2, follows: 1 },
    options: {
      mix: { home: 1, user: 0, compose: 0 },
      rate: undefined,
      seconds: 1,
      concurrency: 1,
      seed: 1,
      topology: "single",
      split: false,
      workers: 1,
    },
    operations: [],
    errors: [],
    settledMs: 0,
    comparison: { users: 2, tweets: 5, differences: [], pendingJobs: 0, deadLetters: 0 },
    ...change,
  });
  const comparison = (change: Partial<LoadResult["comparison"]>) =>
    result({ comparison: { ...result({}).comparison, ...change } });
  const failed = result({ errors: [{ operation: "home", status: "503", count: 2, example: "GET → 503" }] });

  it("is good only without failures and differences", () => {
    expect(isGood(result({}), false)).toBe(true);
    expect(isGood(failed, false)).toBe(false);
    expect(isGood(failed, true)).toBe(true);
    expect(isGood(comparison({ differences: ["a"] }), true)).toBe(false);
    expect(isGood(comparison({ pendingJobs: 1 }), true)).toBe(false);
    expect(isGood(comparison({ deadLetters: 1 }), true)).toBe(false);
  });

  it("names failures and differences", () => {
    expect(renderReport(failed)).toContain("2 × home 503: GET → 503\n2 errors");
    expect(renderReport(comparison({ differences: ["ann: 1 repeated"] }))).toContain(
      "compared with the database: 1 differences\n  ann: 1 repeated",
    );
  });
});

describe("random choices", () => {
  it("are the same for the same seed", () => {
    const some = (seed: number) => sample([...Array(100).keys()], 10, seededRandom(seed));
    expect(some(1)).toEqual(some(1));
    expect(some(1)).not.toEqual(some(2));
  });

  it("never take an item twice, nor more than there are", () => {
    const taken = sample([1, 2, 3, 4, 5], 9, seededRandom(3));
    expect(taken.sort()).toEqual([1, 2, 3, 4, 5]);
  });
});
