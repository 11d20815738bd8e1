import { extractEntities, requireTweetText, withMentionIds } from "../../services/tweet/entities.ts";

const accepts = (text: string) => expect(() => requireTweetText(text)).not.toThrow();
const refuses = (text: string) =>
  expect(() => requireTweetText(text)).toThrow(expect.objectContaining({ type: "INVALID_REQUEST" }));

describe("a tweet's text", () => {
  it("may be 280 Latin characters, not 281", () => {
    accepts("x".repeat(280));
    refuses("x".repeat(281));
  });

  it("counts CJK and emoji twice", () => {
    accepts("界".repeat(140));
    refuses("界".repeat(141));
    accepts("👨‍👩‍👧‍👦".repeat(140));
    refuses("👨‍👩‍👧‍👦".repeat(141));
  });

  it("counts any URL as 23", () => {
    accepts(`${"x".repeat(256)} https://example.com/${"y".repeat(200)}`);
    refuses(`${"x".repeat(257)} https://example.com/`);
  });

  it.each([
    ["nothing", ""],
    ["blanks", " \n\t"],
    ["NUL", "a\u0000b"],
    ["half a surrogate pair", "a\ud800"],
    ["a byte order mark", "a\ufffe"],
  ])("must not be %s", (_, text) => refuses(text));
});

describe("entities", () => {
  it("are found as written, with their places in code points", () => {
    expect(extractEntities("🎉 @Alice loves #Köln $ABC at example.com/x?y")).toEqual({
      mentions: [{ start: 2, end: 8, username: "Alice" }],
      hashtags: [{ start: 15, end: 20, tag: "Köln" }],
      cashtags: [{ start: 21, end: 25, tag: "ABC" }],
      urls: [
        {
          start: 29,
          end: 44,
          url: "example.com/x?y",
          expanded_url: "http://example.com/x?y",
          display_url: "example.com/x?y",
        },
      ],
    });
  });

  it("are absent where there are none", () => expect(extractEntities("hello world")).toEqual({}));

  it("give a mention an id only where the account exists, whatever the case", () => {
    const entities = withMentionIds(extractEntities("@Alice @nobody"), { alice: "12" });
    expect(entities.mentions).toEqual([
      { start: 0, end: 6, username: "Alice", id: "12" },
      { start: 7, end: 14, username: "nobody" },
    ]);
  });
});
