import fc from "fast-check";
import { limits } from "../../config/limits.ts";
import { costRates, type Rates, smooth } from "../../services/timeline/fanout-cost.ts";
import {
  type Author,
  type FanoutMode,
  FEW,
  heading,
  isPushed,
  measuringChance,
  nextMode,
  type Wanted,
  wantedMode,
} from "../../services/timeline/fanout-policy.ts";
import "../support/seed.ts";

const HOUR = 3_600;
/** Seen for an hour: somebody tweets once a minute, and some follower reads every other minute. */
const RATES: Rates = {
  seconds: HOUR,
  tweets: 60,
  readRate: 1 / 120,
  readRateAlone: 1 / 240,
  activeShare: 0.5,
};
const author = (mode: FanoutMode, followers: number, rates?: Rates, measuredAgo?: number): Author => ({
  ...{ mode, followers, rates, measuredAgo, pinned: null },
});
const modes: FanoutMode[] = ["push", "entering", "pull", "leaving"];
const mode = fc.constantFrom(...modes);
const followers = fc.integer({ min: FEW, max: limits.fanout.offersInTime / 2 });
const rates = fc.record({
  seconds: fc.double({ min: 1, max: 1e6, noNaN: true }),
  tweets: fc.double({ min: 4, max: 1e5, noNaN: true }),
  readRate: fc.double({ min: 0, max: 1e5, noNaN: true }),
  readRateAlone: fc.double({ min: 0, max: 1e5, noNaN: true }),
  activeShare: fc.double({ min: 0, max: 1, noNaN: true }),
});

describe("a fixed fan-out policy", () => {
  it("pulls authors above a number of followers", () => {
    expect(wantedMode(author("push", 1_000), 1_000)).toBe("push");
    expect(wantedMode(author("push", 1_001), 1_000)).toBe("pull");
  });

  it("lets a pulled author go back only well below it", () => {
    expect(wantedMode(author("pull", 900), 1_000)).toBe("pull");
    expect(wantedMode(author("pull", 800), 1_000)).toBe("push");
  });

  it.each(["push", "pull"] as const)("may be to %s everyone", (policy) => {
    expect(wantedMode(author("push", 0), policy)).toBe(policy);
    expect(wantedMode(author("pull", 1e9), policy)).toBe(policy);
  });
});

describe("any fan-out policy", () => {
  it("bows to an operator's word", () => {
    for (const policy of ["push", "pull", "cost", 10] as const) {
      expect(wantedMode({ ...author("pull", 1e9), pinned: "push" }, policy)).toBe("push");
      expect(wantedMode({ ...author("push", 0), pinned: "pull" }, policy)).toBe("pull");
    }
  });
});

describe("the fan-out policy by cost", () => {
  const wanted = (mode: FanoutMode, followers: number, rates?: Rates) =>
    wantedMode(author(mode, followers, rates), "cost");

  it("leaves authors as they are until they were measured", () => {
    for (const mode of modes) expect(wanted(mode, 5_000)).toBe(heading(mode));
  });

  it("pulls who tweets more than is read, and pushes who is read more", () => {
    expect(wanted("push", 5_000, RATES)).toBe("pull");
    expect(wanted("pull", 5_000, { ...RATES, readRate: 1e4 })).toBe("push");
  });

  it("takes four tweets at least for a habit", () => {
    expect(wanted("push", 5_000, { ...RATES, seconds: 1, tweets: 3 })).toBe("push");
    expect(wanted("push", 5_000, { ...RATES, seconds: 1, tweets: 4 })).toBe("pull");
  });

  it("pulls whoever cannot be delivered within 5 s, whatever it costs", () => {
    const read = { ...RATES, readRate: 1e9, readRateAlone: 1e9 };
    expect(wanted("push", limits.fanout.offersInTime, read)).toBe("push");
    expect(wanted("push", limits.fanout.offersInTime + 1, read)).toBe("pull");
    expect(wanted("push", limits.fanout.offersInTime + 1)).toBe("pull");
    expect(wanted("pull", limits.fanout.offersInTime * 0.9, read)).toBe("pull");
  });

  it("never pulls an author of few followers: to push costs less than one reader who comes to look", () => {
    expect(wanted("push", FEW - 1, { ...RATES, tweets: 1e6, readRate: 0, readRateAlone: 0 })).toBe("push");
    expect(wanted("pull", FEW / 2, { ...RATES, tweets: 1e6, readRate: 0, readRateAlone: 0 })).toBe("push");
  });

  it("moves nobody for what a day does not pay back", () => {
    const now = (tweets: number) =>
      wanted("push", 300, { ...RATES, seconds: 86_400, tweets, readRate: 0, readRateAlone: 0 });
    expect(now(100)).toBe("push");
    expect(now(10_000)).toBe("pull");
  });

  it("costs more to push the more is written, the more follow and the more of them are active", () => {
    const { push, pull } = costRates(5_000, RATES);
    for (const dearer of [
      costRates(6_000, RATES),
      costRates(5_000, { ...RATES, tweets: 61 }),
      costRates(5_000, { ...RATES, activeShare: 0.6 }),
    ]) {
      expect(dearer.push).toBeGreaterThan(push);
      expect(dearer.pull).toBe(pull);
    }
  });

  it("is monotone: more tweets, followers or activity never bring back who is pulled, more reads never pull", () => {
    const more = fc.double({ min: 1, max: 100, noNaN: true });
    fc.assert(
      fc.property(mode, followers, rates, more, (mode, followers, rates, more) => {
        const now = wanted(mode, followers, rates);
        const toPull = [
          wanted(mode, followers * more, rates),
          wanted(mode, followers, { ...rates, tweets: rates.tweets * more }),
          wanted(mode, followers, { ...rates, activeShare: Math.min(1, rates.activeShare * more) }),
        ];
        const toPush = [
          wanted(mode, followers, { ...rates, readRate: rates.readRate * more }),
          wanted(mode, followers, { ...rates, readRateAlone: rates.readRateAlone * more }),
        ];
        if (now === "pull") expect(toPull).toEqual(["pull", "pull", "pull"]);
        if (now === "push") expect(toPush).toEqual(["push", "push"]);
      }),
    );
  });

  it("never flaps: whoever has moved stays while the costs change by less than a tenth", () => {
    /** Pulling costs so many times what pushing does. */
    const at = (ratio: number, followers: number, rates: Rates): Rates => {
      const { push } = costRates(followers, rates);
      return { ...rates, readRate: (ratio * push) / limits.fanout.costs.list, readRateAlone: 0 };
    };
    const ratio = fc.double({ min: 0.5, max: 2, noNaN: true });
    const wobble = fc.double({ min: 0.9, max: 1.1, noNaN: true });
    fc.assert(
      fc.property(mode, followers, rates, ratio, wobble, (mode, followers, rates, ratio, wobble) => {
        const moved = wanted(mode, followers, at(ratio, followers, rates));
        if (moved === heading(mode)) return;
        expect(wanted(moved, followers, at(ratio * wobble, followers, rates))).toBe(moved);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("an author's rates", () => {
  const readers = { readRate: 2, readRateAlone: 1, activeShare: 0.5 };
  const seen = (seconds: number, perSecond: number): Rates => ({
    ...{ seconds, tweets: seconds * perSecond },
    ...readers,
  });
  const rateOf = ({ tweets, seconds }: Rates) => tweets / seconds;

  it("are right from the first measurement on", () => {
    const first = smooth(undefined, seen(3, 7));
    expect(rateOf(first)).toBeCloseTo(7);
    expect(first).toMatchObject(readers);
  });

  it("stay what they are while nothing changes, however often they are measured", () => {
    const steady = fc.array(fc.double({ min: 0.1, max: 1e5, noNaN: true }), { minLength: 1 });
    fc.assert(
      fc.property(steady, (intervals) => {
        const rates = intervals.reduce((rates, seconds) => smooth(rates, seen(seconds, 3)), seen(0, 3));
        expect(rateOf(rates)).toBeCloseTo(3);
        expect(rates.readRate).toBeCloseTo(2);
      }),
    );
  });

  it("follow a change within a few days, and are not thrown by an hour", () => {
    const before = smooth(undefined, seen(30 * 86_400, 1));
    expect(rateOf(smooth(before, seen(3_600, 20)))).toBeLessThan(2);
    let later = before;
    for (let day = 0; day < 4; day++) later = smooth(later, seen(86_400, 20));
    expect(rateOf(later)).toBeGreaterThan(18);
  });
});

describe("the chance that an author is measured at a tweet", () => {
  const chance = (followers: number, rates?: Rates, measuredAgo?: number) =>
    measuringChance(author("push", followers, rates, measuredAgo));

  it("is none where nothing can be saved, and right after the last time", () => {
    expect(chance(FEW / 2)).toBe(0);
    expect(chance(5_000, RATES, 0.5)).toBe(0);
  });

  it("is good as long as nothing is known", () => {
    expect(chance(FEW)).toBe(1);
    expect(chance(FEW, undefined, 60)).toBeGreaterThan(0.1);
  });

  it("grows with what the author costs, and takes a small part of it", () => {
    expect(chance(1_000, RATES, 60)).toBeGreaterThan(chance(300, RATES, 60));
    expect(chance(1e6, RATES, 60)).toBe(1);
    const { push } = costRates(300, RATES);
    const measuring = chance(300, RATES, 60) * (RATES.tweets / RATES.seconds) * limits.fanout.costs.measure;
    expect(measuring / push).toBeCloseTo(0.05);
  });
});

describe("an author's mode", () => {
  const way = (mode: FanoutMode, wanted: Wanted): FanoutMode[] => {
    const modes = [mode];
    for (let next = nextMode(mode, wanted); next; next = nextMode(next, wanted)) modes.push(next);
    return modes;
  };

  it("gets to the wanted one from any other", () => {
    expect(way("push", "pull")).toEqual(["push", "entering", "pull"]);
    expect(way("leaving", "pull")).toEqual(["leaving", "entering", "pull"]);
    expect(way("pull", "push")).toEqual(["pull", "leaving", "push"]);
  });

  it("is announced in full before it turns back: lists may lack what an earlier stay did not push", () => {
    expect(way("entering", "push")).toEqual(["entering", "pull", "leaving", "push"]);
  });

  it("stops pushes only once every reader pulls", () => {
    expect(modes.map(isPushed)).toEqual([true, true, false, true]);
    expect(modes.map(heading)).toEqual(["push", "pull", "pull", "push"]);
  });
});
