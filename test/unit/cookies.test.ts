import { cookieOf, setCookie } from "../../services/gateway/http/cookies.ts";

describe("cookies", () => {
  it.each([
    ["a=1", "1"],
    ["b=2; a=1; c=3", "1"],
    ["aa=2;a=1", "1"],
    ["a=x=y", "x=y"],
    ["a=", ""],
    ["b=2", undefined],
    ["a", undefined],
    [undefined, undefined],
  ])("%j holds %j under its name", (cookie, value) => {
    expect(cookieOf({ headers: { cookie } }, "a")).toBe(value);
  });

  it("are hidden from scripts and other sites, and from plain HTTP where they came over TLS", () => {
    expect(setCookie("a", "1", { maxAgeS: 60, secure: false })).toBe(
      "a=1; Path=/; Max-Age=60; HttpOnly; SameSite=Lax",
    );
    expect(setCookie("a", "", { maxAgeS: 0, secure: true })).toMatch(/Max-Age=0;.*; Secure$/);
  });
});
