import type { Tweet } from "../../services/contracts/tweets.ts";
import { documentOf } from "../../services/tweet/search/document.ts";
import { matches, tsqueryOf } from "../../services/tweet/search/interpret.ts";
import { parseQuery, QueryError, usernamesIn, withUserIds } from "../../services/tweet/search/query.ts";

const tweet = (text: string, more: Partial<Tweet> = {}): Tweet => ({
  id: "100",
  author_id: "1",
  text,
  created_at: "",
  conversation_id: "100",
  lang: "en",
  ...more,
});
const finds = (query: string, found: Tweet, ids = {}) =>
  matches(withUserIds(parseQuery(query), ids), documentOf(found));
const fault = (query: string): string => {
  try {
    parseQuery(query);
  } catch (error) {
    if (error instanceof QueryError) return error.message;
    throw error;
  }
  return "no fault";
};

describe("the language of search", () => {
  it("takes what stands side by side as AND, which binds closer than OR", () => {
    expect(tsqueryOf(parseQuery("a b OR c d"))).toBe("((('a') & ('b')) | (('c') & ('d')))");
    expect(tsqueryOf(parseQuery("a (b OR c) -d"))).toBe("(('a') & (('b') | ('c')) & !('d'))");
    expect(tsqueryOf(parseQuery("a -(b c)"))).toBe("(('a') & !(('b') & ('c')))");
  });

  it("knows OR in capitals only, and not as the beginning of a word", () => {
    expect(tsqueryOf(parseQuery("a or ORANGE"))).toBe("(('a') & ('or') & ('orange'))");
  });

  it("takes a phrase, and a word that punctuation divides, as words side by side", () => {
    expect(tsqueryOf(parseQuery('"New  York," don\'t'))).toBe("(('new' <-> 'york') & ('don' <-> 't'))");
    expect(finds('"a b"', tweet("b a b"))).toBe(true);
    expect(finds('"a b"', tweet("a, c b"))).toBe(false);
    expect(finds('"a b a c"', tweet("a b a b a c"))).toBe(true);
  });

  it.each([
    ["coffee", "COFFEE!", true],
    ["coffee", "coffees", false],
    ["resume", "Résumé", true],
    ["Straße", "straße", true],
    ["ΟΔΟΣ", "οδός", true],
    ["كتاب", "كِتَابٌ", true],
    ["東京", "今日は東京タワーへ", true],
    ["京東", "今日は東京タワーへ", false],
    ["ガ", "ｶﾞ", true],
    ["か", "が", false],
    ["한국", "한국어", true],
    ["👍", "nice 👍🏽!", true],
    ["👨‍👩‍👧", "us: 👨‍👩‍👧", true],
    ["☕", "tea☕️", true],
    ["full", "ｆｕｌｌ", true],
  ])("finds %s in %s: %s", (query, text, found) => {
    expect(finds(query, tweet(text))).toBe(found);
  });

  it("asks for mentions, hashtags and cashtags as a whole, whatever their case", () => {
    const one = tweet("@Bob on #Café $ABC", {
      entities: {
        mentions: [{ start: 0, end: 4, username: "Bob" }],
        hashtags: [{ start: 8, end: 13, tag: "Café" }],
        cashtags: [{ start: 14, end: 18, tag: "ABC" }],
      },
    });
    for (const query of ["@bob", "#cafe", "$abc", "bob #CAFÉ has:mentions has:hashtags has:cashtags"])
      expect([query, finds(query, one)]).toEqual([query, true]);
    for (const query of ["@bobby", "#caf", "#abc", "bob has:links"])
      expect([query, finds(query, one)]).toEqual([query, false]);
  });

  it("asks for authors and those who are replied to, by name or by id", () => {
    const reply = tweet("yes", { referenced_tweets: [{ type: "replied_to", id: "90", author_id: "2" }] });
    const ids = { alice: "1", bob: "2" };
    expect(usernamesIn(parseQuery("from:Alice OR to:@BOB OR -from:alice x"))).toEqual(["alice", "bob"]);
    for (const query of ["from:ALICE", "to:bob is:reply", "from:alice -from:bob", "to:bob -is:retweet"])
      expect([query, finds(query, reply, ids)]).toEqual([query, true]);
    for (const query of ["from:bob", "to:alice", "from:nobody", "from:alice -is:reply"])
      expect([query, finds(query, reply, ids)]).toEqual([query, false]);
    expect(tsqueryOf(parseQuery("from:1234567890123456789"))).toBe("'from:1234567890123456789'");
  });

  it("asks for URLs by their parts, and never from one URL on to the next", () => {
    const linked = tweet("see", {
      entities: {
        urls: ["https://a.example/One", "http://b.example/two"].map((url) => ({
          start: 0,
          end: 1,
          url,
          expanded_url: url,
          display_url: url,
        })),
      },
    });
    for (const query of ["url:a.example", 'url:"https://a.example/one"', "url:two has:links"].map(
      (q) => `${q} see`,
    ))
      expect([query, finds(query, linked)]).toEqual([query, true]);
    for (const query of ["url:a.example/two see", 'url:"one http" see', "url:see see"])
      expect([query, finds(query, linked)]).toEqual([query, false]);
  });

  it("asks for conversations, originals and languages", () => {
    const quote = tweet("hm", { referenced_tweets: [{ type: "quoted", id: "77", author_id: "3" }] });
    const retweet = tweet("RT", { referenced_tweets: [{ type: "retweeted", id: "78", author_id: "3" }] });
    expect(finds("conversation_id:100 is:quote quotes_of_tweet_id:77 lang:EN", quote)).toBe(true);
    expect(finds("retweets_of:carol is:retweet retweets_of_tweet_id:78", retweet, { carol: "3" })).toBe(true);
    expect(finds("hm lang:de", quote)).toBe(false);
    expect(finds("hm -has:media -is:nullcast", quote)).toBe(true);
  });

  it.each([
    [
      "(cats OR",
      'at column 9: expected a word, a phrase in quotation marks, an operator or "(", but the query ends here',
    ],
    [
      "cats )",
      'at column 6: expected a word, a phrase in quotation marks, an operator, "(", the end or OR, but found ")"',
    ],
    ['say "hello there', "at column 5: the quotation mark here is never closed"],
    ['say ""', "at column 5: expected a word, a phrase in quotation marks"],
    ["foo:bar", 'at column 1: "foo:" is no operator; there are from:, to:,'],
    [
      "cats  is:cute",
      'at column 7: is: expected one of reply, retweet, quote, verified, nullcast, but found "cute"',
    ],
    ["from:a-b", 'at column 1: from: expected a username or a user\'s id, but found "a-b"'],
    ["cats conversation_id:x", 'at column 6: conversation_id: expected a tweet\'s id, but found "x"'],
    ["cats !!", 'at column 6: "!!" holds no letter, digit or symbol'],
    ["  ", "is empty"],
    [`${"(".repeat(21)}a${")".repeat(21)}`, "at column 22: parentheses may be nested 20 deep at most"],
    ["-cats", "needs a word"],
    ["is:reply", "needs a word"],
    ["has:links lang:en", "needs a word"],
    ["cats OR is:reply", "needs a word"],
    ["cats OR -dogs", "needs a word"],
  ])("says what is wrong with %s", (query, message) => {
    expect(fault(query).slice(0, message.length)).toBe(message);
  });

  it("looks for a phrase around its rarest word, in a document whose places are bounded", () => {
    let probes = 0;
    class Probed extends Set<number> {
      override has(place: number): boolean {
        probes++;
        return super.has(place);
      }
    }
    const everywhere = new Probed(Array.from({ length: 500 }, (_, i) => i + 1));
    const document = new Map([
      ["a", everywhere],
      ["b", new Probed([400])],
    ]);
    expect(matches(parseQuery(`"${"a ".repeat(63)}b"`), document)).toBe(true);
    expect(matches(parseQuery(`"b ${"a ".repeat(40)}b"`), document)).toBe(false);
    expect(probes).toBeLessThan(200);
    const long = documentOf(tweet("https://e.co/a/".repeat(1_000)));
    expect([...long.values()].reduce((sum, { size }) => sum + size, 0)).toBeLessThanOrEqual(500);
  });

  it("takes phrases of so many words only", () => {
    expect(fault(`"${"a ".repeat(64)}"`)).toBe("no fault");
    expect(fault(`b "${"a ".repeat(65)}"`)).toBe("at column 3: a phrase may have 64 words at most, not 65");
    expect(fault(`url:"${"a/".repeat(65)}"`)).toMatch(/^at column 1: a phrase may have/);
    expect(fault("東".repeat(65))).toMatch(/^at column 1: a phrase may have/);
  });

  it("takes as many parentheses as it says, and all that a query can hold in little time", () => {
    expect(fault(`${"(".repeat(20)}a${")".repeat(20)}`)).toBe("no fault");
    expect(fault("(".repeat(1024))).toMatch(/^at column 22/);
    expect(fault("a ".repeat(512).trim())).toBe("no fault");
    expect(fault(`a${" -b".repeat(300)}`)).toBe("no fault");
  });
});
