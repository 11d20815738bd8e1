import { latenciesOf, resultOf } from "../../bench/result.ts";

describe("the result of a benchmark", () => {
  const round = (value: number, floor: number) => ({
    value: { done: value, elapsedMs: 500 },
    floor: { done: floor, elapsedMs: 1000 },
  });

  it("is the round with the middle ratio, in units a second", () => {
    const rounds = [round(30, 200), round(5, 900), round(20, 100)];
    expect(resultOf("b", "things/s", rounds, { page: 20 })).toEqual({
      bench: "b",
      value: 60,
      unit: "things/s",
      floor: 200,
      ratio: 0.3,
      detail: { page: 20, values: [60, 10, 40], floors: [200, 900, 100] },
    });
  });

  it("has the latencies of the middle round", () => {
    const latencies = (p50: number, p99: number) => ({ done: 1, elapsedMs: 1, p50, p99 });
    expect(latenciesOf([latencies(1, 9), latencies(2.004, 8), latencies(3, 7)])).toEqual({
      p50Ms: 2,
      p99Ms: 8,
    });
  });

  it("does not come out of nothing", () => {
    expect(() => resultOf("b", "things/s", [], {})).toThrow(RangeError);
    expect(() => latenciesOf([])).toThrow(RangeError);
  });
});
