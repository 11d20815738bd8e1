import {
  astray,
  differences,
  differingBuckets,
  type EdgeRow,
  mergeSorted,
} from "../../services/operator/audit-edges.ts";

const row = (src: string, dst: string, id: string, kind: EdgeRow["kind"] = "follow"): EdgeRow => ({
  src,
  kind,
  dst,
  id,
});
async function* stream(...rows: EdgeRow[]) {
  yield* rows;
}

describe("sums of edges", () => {
  const sum = (bucket: number, rows: string, sum: string, kind = "follow") => ({
    kind,
    bucket,
    placed: true,
    rows,
    sum,
  });

  it("agree where the mirrors of all shards add up to the edges", () => {
    const mirrors = [sum(1, "1", "-9000000000000000000"), sum(1, "2", "40"), sum(7, "1", "5")];
    expect(differingBuckets([sum(1, "3", "-8999999999999999960"), sum(7, "1", "5")], mirrors)).toEqual([]);
  });

  it("name each bucket that differs once, whichever side lacks it and whichever the kind", () => {
    const forward = [sum(1, "3", "9"), sum(2, "1", "5"), sum(2, "1", "5", "like"), sum(4, "1", "8")];
    const mirrors = [sum(1, "3", "8"), sum(3, "1", "5"), sum(2, "2", "5"), sum(4, "1", "8")];
    expect(differingBuckets(forward, mirrors)).toEqual([1, 2, 3]);
  });

  it("leave out rows that are out of place, which are counted", () => {
    const stray = { ...sum(5, "2", "8"), placed: false };
    expect(differingBuckets([stray], [])).toEqual([]);
    expect(astray([stray, sum(5, "7", "9"), { ...stray, rows: "3" }])).toBe(5n);
  });
});

describe("edges side by side", () => {
  const found = (forward: EdgeRow[][], mirrors: EdgeRow[][]) =>
    Array.fromAsync(
      differences(
        mergeSorted(forward.map((rows) => stream(...rows))),
        mergeSorted(mirrors.map((rows) => stream(...rows))),
      ),
    );

  it("agree however they are spread over shards", async () => {
    const rows = [
      row("5", "1", "50"),
      row("5", "1", "51", "mute"),
      row("10", "2", "60"),
      row("10", "11", "61"),
    ];
    const [a, b, c, d] = rows as [EdgeRow, EdgeRow, EdgeRow, EdgeRow];
    expect(await found([[a, c, d], [b]], [[b], [c], [a, d], []])).toEqual([]);
  });

  it("differ where one side lacks a row or holds another id", async () => {
    const forward = [row("5", "1", "50"), row("7", "1", "70"), row("9", "1", "90")];
    const mirrors = [row("5", "1", "50"), row("6", "1", "60"), row("7", "1", "71")];
    expect(await found([forward], [mirrors])).toEqual([
      { src: "6", kind: "follow", dst: "1", forward: null, mirror: "60" },
      { src: "7", kind: "follow", dst: "1", forward: "70", mirror: "71" },
      { src: "9", kind: "follow", dst: "1", forward: "90", mirror: null },
    ]);
  });

  it("are compared where a side is empty", async () => {
    expect(await found([], [[row("6", "1", "60")]])).toHaveLength(1);
    expect(await found([[row("6", "1", "60")]], [[], []])).toHaveLength(1);
    expect(await found([], [])).toEqual([]);
  });
});
