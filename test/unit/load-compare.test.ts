import type { Page } from "../../bench/load/client.ts";
import { differenceOf } from "../../bench/load/compare.ts";

/** Ids of 19 digits; a higher number is a newer tweet. */
const id = (n: number) => String(1_700_000_000_000_000_000n + BigInt(n));
const page = (...numbers: number[]): Page => ({
  ids: numbers.map(id),
  resultCount: numbers.length,
  nextToken: undefined,
});
const expected = [5, 4, 3, 2, 1].map(id);

describe("comparing a home timeline with the expected one", () => {
  it.each([
    ["one page", [page(5, 4, 3, 2, 1)]],
    ["several pages", [page(5, 4), page(3), page(2, 1)]],
    ["an empty last page", [page(5, 4, 3, 2, 1), page()]],
  ])("finds nothing wrong with the same tweets on %s", (_, pages) => {
    expect(differenceOf(pages, expected)).toBeUndefined();
  });

  it("finds nothing wrong with nothing", () => {
    expect(differenceOf([page()], [])).toBeUndefined();
  });

  it.each([
    ["a tweet that is missing", [page(5, 4, 2, 1)], `1 of 5 missing (${id(3)})`],
    ["a tweet that does not belong", [page(6, 5, 4, 3, 2, 1)], `1 too many (${id(6)})`],
    ["a repeat within a page", [page(5, 4, 4, 3, 2, 1)], `1 repeated (${id(4)})`],
    ["a repeat across pages", [page(5, 4, 3), page(3, 2, 1)], `1 repeated (${id(3)})`],
    ["disorder within a page", [page(5, 3, 4, 2, 1)], `not newest first at ${id(4)}`],
    ["disorder across pages", [page(3, 2, 1), page(5, 4)], `not newest first at ${id(5)}`],
    [
      "a count that is wrong",
      [{ ...page(5, 4, 3, 2, 1), resultCount: 6 }],
      "page 1 holds 5 tweets and says 6",
    ],
  ])("names %s", (_, pages, fault) => {
    expect(differenceOf(pages, expected)).toBe(fault);
  });

  it("tells neighbouring ids apart that are equal as floating-point numbers", () => {
    expect(Number(id(1))).toBe(Number(id(2)));
    expect(differenceOf([page(1, 2)], [id(2), id(1)])).toBe(`not newest first at ${id(2)}`);
  });

  it("names all faults, and a few of many tweets", () => {
    expect(differenceOf([page(9, 9)], expected)).toBe(
      `1 repeated (${id(9)}), 5 of 5 missing (${id(5)} ${id(4)} ${id(3)} …), 1 too many (${id(9)})`,
    );
  });
});
