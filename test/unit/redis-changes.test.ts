import { Journal, longestRow } from "../../bench/redis-changes/journal.ts";

describe("what clients saw while Redis changed", () => {
  it("counts errors as one row as long as they are less than a second apart", () => {
    expect(longestRow([])).toBe(0);
    expect(longestRow([3])).toBe(0);
    expect(longestRow([1, 1.5, 2, 4, 4.25])).toBe(1);
    expect(longestRow([1, 3, 3.5, 4.25, 9])).toBe(1.25);
  });

  it("tells answers apart by the change that they follow", () => {
    const journal = new Journal();
    journal.change("first");
    journal.succeeded("home", 5);
    journal.failed("home", new Error("refused"));
    journal.change("second");
    journal.succeeded("home", 7);
    expect(journal.chapters()).toMatchObject([
      { what: "first", requests: 2, errors: 1, max: 5 },
      { what: "second", requests: 1, errors: 0, max: 7 },
    ]);
  });
});
