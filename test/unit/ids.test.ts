import fc from "fast-check";
import {
  bucketOf,
  bucketOfHandle,
  idAfter,
  idBefore,
  idTimeMs,
  isId,
  newestFirst,
  partitionOf,
} from "../../mixins/shard-db/ids.ts";
import "../support/seed.ts";

const anyId = fc.bigInt({ min: 1n, max: 0x7fff_ffff_ffff_ffffn }).map(String);

describe("ids", () => {
  it("take their parts apart as they were put together", () => {
    fc.assert(
      fc.property(fc.nat(2 ** 40), fc.nat(1023), fc.nat(4095), (ms, bucket, sequence) => {
        const id = String((BigInt(ms) << 22n) | (BigInt(bucket) << 12n) | BigInt(sequence));
        expect(bucketOf(id)).toBe(bucket);
        expect(idTimeMs(id)).toBe(ms + 1_288_834_974_657);
        expect(partitionOf(id)).toBe(bucket >> 2);
      }),
    );
  });

  it("sort newest first as numbers do, whatever their length", () => {
    fc.assert(
      fc.property(fc.array(anyId), (ids) => {
        const byNumber = ids.map(BigInt).sort((a, b) => (a < b ? 1 : a > b ? -1 : 0));
        expect(ids.toSorted(newestFirst)).toEqual(byNumber.map(String));
      }),
    );
  });

  it("have neighbours", () => {
    expect(idBefore("1000")).toBe("999");
    expect(idAfter("999")).toBe("1000");
  });

  it.each(["1", "2124445430214275072", "9223372036854775807"])("%s is one", (id) =>
    expect(isId(id)).toBe(true),
  );

  it.each([
    "",
    "0",
    "-1",
    "01",
    "1.0",
    "1e3",
    "9223372036854775808",
    "99999999999999999999",
    " 1",
    "a",
    1,
    null,
  ])("%p is none", (value) => expect(isId(value)).toBe(false));
});

describe("a handle's bucket", () => {
  it("does not depend on case and lies within the buckets", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9_]{1,15}$/), (handle) => {
        expect(bucketOfHandle(handle)).toBe(bucketOfHandle(handle.toUpperCase()));
        expect(bucketOfHandle(handle)).toBeLessThan(1024);
      }),
    );
  });

  it("spreads handles evenly", () => {
    const counts = new Array(8).fill(0);
    for (let i = 0; i < 8_000; i++) counts[bucketOfHandle(`user_${i}`) >> 7]++;
    for (const count of counts) expect(count).toBeGreaterThan(800);
  });
});
