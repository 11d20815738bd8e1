import { rolesOf } from "../../mixins/shard-db/roles.ts";
import type { Look } from "../../mixins/shard-db/server.ts";

const nobody = { primary: undefined, timeline: 0 };
const look = (
  role: Look["role"],
  timeline: number,
  more: Partial<Look> = {},
): { look: Look | undefined } => ({
  look: {
    role,
    timeline,
    askedAt: 0,
    position: 0,
    shard: "s0",
    epoch: 1,
    leaving: false,
    deposedBy: null,
    ...more,
  },
});
const away = () => ({ look: undefined });

describe("who is in charge of a shard", () => {
  it("is the server that takes writes", () => {
    const primary = look("primary", 1);
    expect(rolesOf("s0", [look("replica", 1), primary, away()], nobody)).toEqual({
      primary,
      timeline: 1,
      deposed: [],
    });
  });

  it("is the one on the higher timeline, and the other one is deposed", () => {
    const [old, promoted] = [look("primary", 1), look("primary", 2)];
    const before = { primary: old, timeline: 1 };
    expect(rolesOf("s0", [old, promoted], before)).toEqual({
      primary: promoted,
      timeline: 2,
      deposed: [old],
    });
  });

  it("is nobody while only one answers from whom another took over, which then is not marked either", () => {
    const old = look("primary", 1);
    const none = { primary: undefined, timeline: 2, deposed: [] };
    expect(rolesOf("s0", [old, away()], { primary: undefined, timeline: 2 })).toEqual(none);
    expect(rolesOf("s0", [old, look("replica", 2)], nobody)).toEqual(none);
  });

  it("is never a server that was marked, nor one of another shard", () => {
    const marked = look("primary", 1, { deposedBy: 2 });
    const foreign = look("primary", 9, { shard: "s1" });
    const unmade = look("primary", 9, { shard: null });
    expect(rolesOf("s0", [marked, foreign, unmade], nobody).primary).toBeUndefined();
  });

  it("stays with who was in charge where two claim the same timeline, and is nobody where neither was", () => {
    const [one, other] = [look("primary", 3), look("primary", 3)];
    expect(rolesOf("s0", [one, other], { primary: other, timeline: 3 }).primary).toBe(other);
    expect(rolesOf("s0", [one, other], nobody).primary).toBeUndefined();
  });
});
