import {
  type Author,
  type FanoutMode,
  heading,
  isPushed,
  nextMode,
  type Wanted,
  wantedMode,
} from "../../services/timeline/fanout-policy.ts";

const author = (mode: FanoutMode, followers: number, pinned: Author["pinned"] = null): Author => ({
  mode,
  followers,
  pinned,
});

describe("the fan-out policy", () => {
  it("pulls authors above a fixed number of followers", () => {
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

  it("bows to an operator's word", () => {
    for (const policy of ["push", "pull", "cost", 10] as const) {
      expect(wantedMode(author("pull", 1e9, "push"), policy)).toBe("push");
      expect(wantedMode(author("push", 0, "pull"), policy)).toBe("pull");
    }
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
    const modes: FanoutMode[] = ["push", "entering", "pull", "leaving"];
    expect(modes.map(isPushed)).toEqual([true, true, false, true]);
    expect(modes.map(heading)).toEqual(["push", "pull", "pull", "push"]);
  });
});
