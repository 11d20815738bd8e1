import fc from "fast-check";
import { chooseReplica, Positions, type Standing } from "../../mixins/shard-db/rotation.ts";
import { SessionView } from "../../mixins/shard-db/session.ts";
import "../support/seed.ts";

const clock = { now: 100_000, settleMs: 5_000 };
const nothing = { seen: undefined, timeline: 1, movedAt: 0 };
const standing = (address: string, more: Partial<Standing> = {}): Standing => ({
  address,
  inRotation: true,
  changedAt: 0,
  freshAsOf: 99_000,
  replayed: 1_000,
  lagBytes: 0,
  ...more,
});

describe("which replica answers a session", () => {
  const three = ["a:1", "b:1", "c:1"].map((address) => standing(address));
  const of = (session: string, standings = three) => chooseReplica(session, standings, nothing, clock);

  it("is always the same one, and sessions are spread", () => {
    const chosen = Array.from({ length: 300 }, (_, i) => of(`user-${i}`));
    expect(Array.from({ length: 300 }, (_, i) => of(`user-${i}`))).toEqual(chosen);
    for (const replica of three) {
      const share = chosen.filter((choice) => "replica" in choice && choice.replica === replica).length;
      expect(share).toBeGreaterThan(50);
    }
  });

  it("is the primary for a while where that one comes or goes, then another one", () => {
    const mine = of("me");
    const gone = three.map((each) =>
      "replica" in mine && each === mine.replica ? { ...each, inRotation: false, changedAt: 98_000 } : each,
    );
    expect(of("me", gone)).toEqual({ excuse: "unsettled" });
    const other = chooseReplica("me", gone, nothing, { ...clock, now: 104_000 });
    expect("replica" in other && other.replica.inRotation).toBe(true);
    const back = three.map((each) => ({ ...each, changedAt: 98_000 }));
    expect(of("me", back)).toEqual({ excuse: "unsettled" });
  });

  it("is never one that lacks what the session has seen, unless it is asked first", () => {
    const arbitrary = fc.record({ replayed: fc.nat(2_000), lagBytes: fc.nat(2) });
    fc.assert(
      fc.property(
        fc.array(arbitrary),
        fc.nat(2_000),
        fc.nat(3),
        fc.string(),
        (drawn, position, timeline, me) => {
          const replicas = drawn.map((each, i) => standing(`r:${i}`, each));
          const choice = chooseReplica(me, replicas, { ...nothing, seen: { timeline, position } }, clock);
          const any = replicas.some(({ replayed }) => replayed >= position);
          if ("excuse" in choice) return expect(any && timeline <= 1 && replicas.length === 1).toBe(false);
          expect(timeline).toBeLessThanOrEqual(1);
          expect(choice.unlessBelow ?? choice.replica.replayed).toBeGreaterThanOrEqual(position);
          const own = chooseReplica(me, replicas, nothing, clock);
          expect(choice.marks).toBe("replica" in own && own.replica !== choice.replica);
        },
      ),
    );
  });

  it("is the primary until replicas have the buckets that came", () => {
    expect(chooseReplica("me", three, { ...nothing, movedAt: 99_500 }, clock)).toEqual({ excuse: "moved" });
    expect(chooseReplica("me", [], nothing, clock)).toEqual({ excuse: "none" });
  });
});

describe("how fresh a replica is", () => {
  it("is when the primary was last seen at a position that it has replayed", () => {
    const positions = new Positions(60_000);
    for (const [askedAt, position] of [
      [10, 100],
      [20, 100],
      [30, 200],
    ] as const)
      positions.add(askedAt, position);
    expect([99, 100, 150, 200, 500].map((replayed) => positions.freshAsOf(replayed))).toEqual([
      undefined,
      20,
      20,
      30,
      30,
    ]);
  });
});

describe("what a session has seen", () => {
  it("only grows, on the later timeline first, and is told apart from what it came with", () => {
    const view = new SessionView({ key: "1", seen: { s0: "2:500" }, isNew: false });
    view.reached("s0", { timeline: 1, position: 900 });
    view.reached("s0", { timeline: 2, position: 400 });
    expect(view.news).toEqual({});
    view.merge({ key: "1", seen: { s0: "2:501", s1: "1:7" }, isNew: false, wrote: true });
    view.reached("s1", { timeline: 1, position: 6 });
    expect(view.news).toEqual({ s0: "2:501", s1: "1:7" });
    expect(view.meta).toMatchObject({
      key: "1",
      seen: { s0: "2:501", s1: "1:7" },
      isNew: false,
      wrote: true,
    });
  });
});
