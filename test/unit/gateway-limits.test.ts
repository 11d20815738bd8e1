import { clientIp, limitedAs } from "../../services/gateway/http/client-ip.ts";
import { LocalBuckets } from "../../services/gateway/local-buckets.ts";

describe("token buckets of one process", () => {
  const limit = { capacity: 3, windowMs: 3_000 };
  const start = 1_700_000_000_000;

  it("empty, refuse, and fill again token by token", () => {
    const buckets = new LocalBuckets();
    const take = (at: number, cost = 1) => buckets.take("a", limit, cost, start + at);
    expect(take(0)).toEqual({
      passes: true,
      limit: 3,
      remaining: 2,
      reset: (start + 1_000) / 1_000,
      waitMs: 0,
    });
    expect(take(0).remaining).toBe(1);
    expect(take(0).remaining).toBe(0);
    expect(take(0)).toMatchObject({ passes: false, remaining: 0, waitMs: 1_000 });
    expect(take(999)).toMatchObject({ passes: false, waitMs: 1 });
    expect(take(1_000).passes).toBe(true);
    expect(take(1_000).passes).toBe(false);
    expect(take(60_000)).toMatchObject({ passes: true, remaining: 2 });
  });

  it("can be looked at without taking", () => {
    const buckets = new LocalBuckets();
    const take = (cost: number) => buckets.take("a", limit, cost, start);
    for (let i = 0; i < 10; i++) expect(take(0)).toMatchObject({ passes: true, remaining: 3 });
    for (let i = 0; i < 3; i++) take(1);
    expect(take(0).passes).toBe(false);
  });

  it("are apart from each other", () => {
    const buckets = new LocalBuckets();
    for (let i = 0; i < 3; i++) buckets.take("a", limit, 1, start);
    expect(buckets.take("b", limit, 1, start).passes).toBe(true);
  });
});

describe("the address a client is limited by", () => {
  const from = (remoteAddress: string, forwarded?: string) => ({
    headers: { "x-forwarded-for": forwarded },
    socket: { remoteAddress },
  });

  it("is the peer's where no proxy is trusted, whatever is claimed", () => {
    expect(clientIp(from("9.9.9.9", "1.1.1.1"), 0)).toBe("9.9.9.9");
  });

  it("is counted from the right of X-Forwarded-For", () => {
    expect(clientIp(from("9.9.9.9", "6.6.6.6, 1.1.1.1"), 1)).toBe("1.1.1.1");
    expect(clientIp(from("9.9.9.9", "6.6.6.6, 1.1.1.1, 8.8.8.8"), 2)).toBe("1.1.1.1");
    expect(clientIp(from("9.9.9.9", "1.1.1.1"), 5)).toBe("1.1.1.1");
    expect(clientIp(from("9.9.9.9"), 1)).toBe("9.9.9.9");
  });

  it("is the peer's where the claim is no address", () => {
    expect(clientIp(from("9.9.9.9", "<script>"), 1)).toBe("9.9.9.9");
  });

  it("may be claimed with a port", () => {
    expect(clientIp(from("9.9.9.9", "1.1.1.1:5000"), 1)).toBe("1.1.1.1");
    expect(clientIp(from("9.9.9.9", "[2001:db8::7]:5000"), 1)).toBe("2001:db8:0:0::/64");
  });

  it.each([
    ["1.2.3.4", "1.2.3.4"],
    ["::ffff:1.2.3.4", "1.2.3.4"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:DB8:0001:2::9", "2001:db8:1:2::/64"],
    ["::1", "0:0:0:0::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    ["2001:db8::", "2001:db8:0:0::/64"],
  ])("%s counts as %s", (address, expected) => expect(limitedAs(address)).toBe(expected));
});
