import {
  bothFaults,
  compareEntry,
  type Entry,
  parseEntry,
  type RawEntry,
} from "../../services/operator/audit-entries.ts";
import { excusesOf, unexcused } from "../../services/operator/audit-excuses.ts";

const MARK = "-7";
const raw = (name: string, content: unknown, type = "string", ttlMs = 3_600_000): RawEntry => ({
  key: `{0}:${name}:1`,
  name,
  owner: "1",
  type,
  content,
  ttlMs,
});
const entry = (name: string, content: unknown, type?: string) => {
  const parsed = parseEntry(raw(name, content, type), MARK);
  if (!parsed) throw new Error(`nobody would believe this ${name}`);
  return parsed;
};

describe("an entry of Redis", () => {
  it("is what readers believe", () => {
    expect(entry("following", ["2", MARK, "3"], "set")).toMatchObject({ members: ["2", "3"] });
    expect(entry("home", ["9", "8", "5|-7"], "list")).toMatchObject({ ids: ["9", "8"], floor: "5" });
    expect(entry("state", "v-7:1")).toMatchObject({ payload: "1" });
    expect(entry("tweet", '{"id":"1"}')).toMatchObject({ payload: '{"id":"1"}' });
  });

  it.each([
    ["a set of another process", raw("following", ["2", "-8"], "set")],
    ["a set that is being filled", raw("following", ["building", "lx.1"], "set")],
    ["a list of another process", raw("home", ["9", "5|-8"], "list")],
    ["a list that is being built", raw("home", ["9", "lx.1"], "list")],
    ["an entry of another process", raw("user", "v-8:{}")],
    ["a lease", raw("user", "lx.1")],
    ["a session that is being revoked", raw("session", "v-7:-")],
    ["a tweet that is hidden while its delete is committed", raw("state", "v-7:0", "string", 60_000)],
    ["a key of another sort", raw("rate", "3")],
    ["a key that is gone", raw("home", "", "none")],
  ])("is none where it is %s", (_, it) => {
    expect(parseEntry(it, MARK)).toBeUndefined();
  });
});

describe("an entry against what Postgres holds", () => {
  const list = (ids: string[], floor = "5") => entry("home", [...ids, `${floor}|${MARK}`], "list");
  const holding = (ids: string[], floor = "5") => ({ ids, floor, foreign: new Set(["66"]) });

  it("may hold more than it must, but lack nothing above its floor", () => {
    expect(compareEntry(list(["9", "8", "7"]), holding(["9", "7", "4"]))).toBeUndefined();
    expect(compareEntry(list(["9", "7"]), holding(["9", "8", "7"]))).toEqual({ lacks: ["8"], extra: [] });
    expect(compareEntry(list(["66", "9"]), holding(["9"]))).toEqual({ lacks: [], extra: ["66"] });
  });

  it("is compared above the floor that the truth was asked for, where its own has moved", () => {
    expect(compareEntry(list(["9"], "3"), holding(["9"], "5"))).toBeUndefined();
    expect(compareEntry(list(["9"], "8"), holding(["9", "7"], "5"))).toBeUndefined();
  });

  it.each([
    ["out of order", ["8", "9"]],
    ["twice the same", ["9", "9"]],
    ["below its floor", ["9", "5"]],
    ["no ids", ["9", "x", "8"]],
  ])("is faulty with entries that are %s", (_, ids) => {
    expect(compareEntry(list(ids), holding([]))?.fault).toContain("sorted");
  });

  it("holds exactly the members of a set, but for some that may be in or not", () => {
    const set = entry("pulled", ["2", "3", MARK], "set");
    const expected = { members: new Set(["2", "4", "5"]), optional: new Set(["5"]) };
    expect(compareEntry(set, expected)).toEqual({ lacks: ["4"], extra: ["3"] });
    expect(compareEntry(set, { members: new Set(["2"]), optional: new Set(["3"]) })).toBeUndefined();
  });

  it("is the same payload whatever the order of its fields", () => {
    const body = entry("tweet", '{"id":"1","text":"a"}');
    expect(compareEntry(body, { payload: '{"text":"a","id":"1"}' })).toBeUndefined();
    expect(compareEntry(body, { payload: '{"text":"b","id":"1"}' })?.fault).toContain("not what");
    expect(compareEntry(entry("tweet", "{broken"), { payload: "{}" })?.fault).toContain("not what");
    expect(compareEntry(body, { payload: undefined })?.fault).toContain("does not exist");
  });

  it("is wrong only in what two looks agree on", () => {
    const one = { lacks: ["1", "2"], extra: ["3"], fault: "x" };
    expect(bothFaults(one, { lacks: ["2"], extra: [], fault: "y" })).toEqual({ lacks: ["2"], extra: [] });
    expect(bothFaults(one, { lacks: [], extra: ["3"], fault: "x" })).toEqual({
      lacks: [],
      extra: ["3"],
      fault: "x",
    });
    expect(bothFaults(one, { lacks: ["9"], extra: [] })).toBeUndefined();
    expect(bothFaults(one, undefined)).toBeUndefined();
  });
});

describe("a queued job", () => {
  const excuses = excusesOf([
    { kind: "edge", key: { src: "1", kind: "follow", dst: "2" } },
    { kind: "edge", key: { src: "4", kind: "like", dst: "5" } },
    { kind: "tweet", key: { id: "9" } },
    { kind: "profile", key: { id: "6" } },
    { kind: "session", key: { bucket: 3, hash: "abc" } },
    { kind: "mode", key: { author: "7" } },
  ]);
  const left = (name: Entry["name"], owner: string, lacks: string[]) => {
    const of = { key: "", owner, name, members: [], ids: [], floor: "0", payload: "" } as Entry; // looked at by name
    return unexcused(of, { lacks, extra: [] }, excuses)?.lacks;
  };

  it("excuses what it is about to mend", () => {
    for (const owner of ["1", "2"]) {
      expect(left("following", owner, ["8"])).toBeUndefined();
      expect(left("home", owner, ["8"])).toBeUndefined();
    }
    expect(left("home", "3", ["9"])).toBeUndefined();
    expect(left("author", "3", ["9"])).toBeUndefined();
    expect(left("state", "9", ["8"])).toBeUndefined();
    expect(left("user", "6", ["8"])).toBeUndefined();
    expect(left("session", "abc", ["8"])).toBeUndefined();
    expect(left("pulled", "", ["7"])).toBeUndefined();
  });

  it("excuses nothing else", () => {
    for (const owner of ["3", "4", "5"]) expect(left("following", owner, ["8"])).toEqual(["8"]);
    expect(left("home", "3", ["8", "9"])).toEqual(["8"]);
    expect(left("state", "8", ["8"])).toEqual(["8"]);
    expect(left("user", "1", ["8"])).toEqual(["8"]);
    expect(left("pulled", "", ["7", "8"])).toEqual(["8"]);
  });
});
