import { requestOf } from "../../services/operator/fanout.ts";

describe("the arguments of `npm run fanout`", () => {
  it("name a user and what is to be done", () => {
    expect(requestOf(["show", "12"])).toEqual({ show: "12" });
    expect(requestOf(["pin", "12", "pull"])).toEqual({ pin: "12", mode: "pull" });
    expect(requestOf(["pin", "12", "none"])).toEqual({ pin: "12", mode: null });
  });

  it.each([
    [[], "expected show or pin"],
    [["show"], "expected the id of a user"],
    [["show", "ada"], "expected the id of a user"],
    [["show", "12", "push"], "too much"],
    [["pin", "12"], "expected push, pull or none"],
    [["pin", "12", "sideways"], "expected push, pull or none"],
    [["pin", "12", "push", "now"], "too much"],
  ])("are refused where they make no sense: %j", (args, reason) => {
    expect(() => requestOf(args)).toThrow(reason);
  });
});
