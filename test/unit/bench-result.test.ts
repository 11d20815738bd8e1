import { latenciesOf, median, resultOf } from "../../bench/result.ts";

describe("the result of a benchmark", () => {
  it.each([
    [[3], 3],
    [[9, 1, 5], 5],
    [[4, 1, 3, 2], 2.5],
  ])("takes the median of %j", (values, expected) => {
    expect(median(values)).toBe(expected);
  });

  it("has no median of nothing", () => {
    expect(() => median([])).toThrow(RangeError);
  });

  it("compares the medians of both sides, in units a second", () => {
    const rounds = (...done: number[]) => done.map((each) => ({ done: each, elapsedMs: 500 }));
    expect(resultOf("b", "things/s", rounds(30, 10, 20), rounds(200, 900, 100), { page: 20 })).toEqual({
      bench: "b",
      value: 40,
      unit: "things/s",
      floor: 400,
      ratio: 0.1,
      detail: { page: 20, values: [60, 20, 40], floors: [400, 1800, 200] },
    });
  });

  it("takes the medians of latencies", () => {
    const round = (p50: number, p99: number) => ({ done: 1, elapsedMs: 1, p50, p99 });
    expect(latenciesOf([round(1, 9), round(2.004, 8), round(3, 7)])).toEqual({ p50Ms: 2, p99Ms: 8 });
  });
});
