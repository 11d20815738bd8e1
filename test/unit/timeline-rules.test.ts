import { cursorsAround, readCursor, writeCursor } from "../../services/contracts/cursor.ts";
import type { Tweet, TweetReference } from "../../services/contracts/tweets.ts";
import { belongsInHome, belongsOnPage, type Known, type Standing } from "../../services/timeline/rules.ts";
import { isExcluded } from "../../services/tweet/references.ts";

const NOBODY = { followed: false, blocked: false, muted: false };
const FOLLOWED = { ...NOBODY, followed: true };
const ME = "9";
/** A tweet "1" of author "7", which may refer to tweet "2" of author "8". */
const tweet = (type?: TweetReference["type"], of = "8"): Tweet => ({
  id: "1",
  author_id: "7",
  text: "",
  created_at: "",
  conversation_id: "1",
  lang: "und",
  ...(type ? { referenced_tweets: [{ type, id: "2", author_id: of }] } : {}),
});
const known = (standings: Record<string, Standing>, alive = ["1", "2"]) => ({
  alive: new Set(alive),
  standings: new Map(Object.entries(standings)),
});

describe("a home timeline", () => {
  it("shows tweets, quotes and retweets of followed users, whoever wrote the original", () => {
    for (const type of [undefined, "quoted", "retweeted"] as const)
      expect(belongsInHome(ME, tweet(type), known({ 7: FOLLOWED }))).toBe(true);
  });

  it("shows one's own, replies to strangers included", () => {
    for (const type of [undefined, "replied_to", "retweeted"] as const)
      expect(belongsInHome("7", tweet(type), known({}))).toBe(true);
  });

  it("shows a reply where both are followed, or where it is to the viewer", () => {
    expect(belongsInHome(ME, tweet("replied_to"), known({ 7: FOLLOWED }))).toBe(false);
    expect(belongsInHome(ME, tweet("replied_to"), known({ 7: FOLLOWED, 8: FOLLOWED }))).toBe(true);
    expect(belongsInHome(ME, tweet("replied_to", "7"), known({ 7: FOLLOWED }))).toBe(true);
    expect(belongsInHome(ME, tweet("replied_to", ME), known({ 7: FOLLOWED }))).toBe(true);
    expect(belongsInHome(ME, tweet("replied_to", ME), known({}))).toBe(false);
  });

  it.each<[string, Tweet, Known]>([
    ["deleted tweets", tweet(), known({ 7: FOLLOWED }, ["2"])],
    ["those of strangers", tweet(), known({ 7: NOBODY })],
    ["blocked authors", tweet(), known({ 7: { ...FOLLOWED, blocked: true } })],
    ["muted authors", tweet(), known({ 7: { ...FOLLOWED, muted: true } })],
    ["authors of unknown standing", tweet(), known({})],
    ["retweets of what was deleted", tweet("retweeted"), known({ 7: FOLLOWED }, ["1"])],
    [
      "retweets of blocked authors",
      tweet("retweeted"),
      known({ 7: FOLLOWED, 8: { ...NOBODY, blocked: true } }),
    ],
    [
      "retweets of muted authors",
      tweet("retweeted"),
      known({ 7: FOLLOWED, 8: { ...FOLLOWED, muted: true } }),
    ],
  ])("hides %s", (_, hidden, facts) => expect(belongsInHome(ME, hidden, facts)).toBe(false));

  it("leaves out what a query excludes", () => {
    expect(isExcluded(tweet("replied_to"), ["replies"])).toBe(true);
    expect(isExcluded(tweet("retweeted"), ["retweets"])).toBe(true);
    expect(isExcluded(tweet("retweeted"), ["replies"])).toBe(false);
    expect(isExcluded(tweet("quoted"), ["replies", "retweets"])).toBe(false);
    expect(isExcluded(tweet("replied_to"))).toBe(false);
  });
});

describe("an author's page", () => {
  it("shows what exists, without retweets across a block", () => {
    expect(belongsOnPage(tweet("replied_to"), known({}))).toBe(true);
    expect(belongsOnPage(tweet("retweeted"), known({ 8: { ...NOBODY, muted: true } }))).toBe(true);
    expect(belongsOnPage(tweet("retweeted"), known({ 8: { ...NOBODY, blocked: true } }))).toBe(false);
    expect(belongsOnPage(tweet("retweeted"), known({}, ["1"]))).toBe(false);
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
