import { cursorsAround, readCursor, writeCursor } from "../../services/contracts/cursor.ts";
import { isPushed, wantedMode } from "../../services/timeline/fanout-policy.ts";
import { belongsInHome } from "../../services/timeline/rules.ts";

const tweet = { id: "1", author_id: "7", text: "", created_at: "" };
const followed = { followed: true, blocked: false, muted: false };

describe("a home timeline", () => {
  it("shows tweets of followed users", () => {
    expect(belongsInHome("9", { tweet, alive: true, standing: followed })).toBe(true);
  });

  it("shows one's own", () => {
    expect(belongsInHome("7", { tweet, alive: true, standing: undefined })).toBe(true);
  });

  it.each([
    ["deleted ones", { tweet, alive: false, standing: followed }],
    ["those of strangers", { tweet, alive: true, standing: { ...followed, followed: false } }],
    ["blocked ones", { tweet, alive: true, standing: { ...followed, blocked: true } }],
    ["muted ones", { tweet, alive: true, standing: { ...followed, muted: true } }],
    ["those of unknown standing", { tweet, alive: true, standing: undefined }],
  ])("hides %s", (_, candidate) => expect(belongsInHome("9", candidate)).toBe(false));
});

describe("the fan-out policy", () => {
  it("pulls authors above the threshold", () => {
    expect(wantedMode("push", 1_000, 1_000)).toBe("push");
    expect(wantedMode("push", 1_001, 1_000)).toBe("pull");
  });

  it("lets a pulled author go back only well below it", () => {
    expect(wantedMode("pull", 900, 1_000)).toBe("pull");
    expect(wantedMode("pull", 800, 1_000)).toBe("push");
  });

  it("stops pushing only once every reader pulls", () => {
    expect(["push", "entering", "leaving"].map((mode) => isPushed(mode as "push"))).toEqual([
      true,
      true,
      true,
    ]);
    expect(isPushed("pull")).toBe(false);
  });
});

describe("pagination tokens", () => {
  it("come back as they went, at least 16 characters long", () => {
    for (const position of [{ before: "1234567890123456789" }, { after: "42" }]) {
      const token = writeCursor(position);
      expect(token.length).toBeGreaterThanOrEqual(16);
      expect(readCursor(token)).toEqual(position);
    }
  });

  it.each([
    "",
    "b",
    "x1234567890123456789",
    "b12345678901234567890",
    "b0000000000000000000",
    "b9999999999999999999",
    "b-123456789012345678",
  ])("%p is refused, naming the parameter", (token) =>
    expect(() => readCursor(token)).toThrow("pagination_token"),
  );

  it("lead on while there is more, and back to where one came from", () => {
    const page = { newest: "20", oldest: "11" };
    expect(cursorsAround({ ...page, from: {}, full: false })).toEqual({});
    expect(cursorsAround({ ...page, from: {}, full: true })).toEqual({
      next_cursor: writeCursor({ before: "11" }),
    });
    expect(cursorsAround({ ...page, from: { before: "21" }, full: false })).toEqual({
      previous_cursor: writeCursor({ after: "20" }),
    });
    expect(cursorsAround({ ...page, from: { after: "10" }, full: false })).toEqual({
      next_cursor: writeCursor({ before: "11" }),
    });
  });
});
