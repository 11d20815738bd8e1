import { gatewayPort } from "../../services/gateway/gateway.service.ts";
import { Client } from "../support/client.ts";
import { Roost } from "../support/roost.ts";

const FAMILY = "👨‍👩‍👧‍👦";
const URL_OF_23 = `https://example.org/${"path/".repeat(30)}`;

/** A text of exactly 280 weighted characters, and what brings it to more. */
const LENGTHS: [what: string, text: string, more: string, weight: number][] = [
  ["Latin", "x".repeat(280), "x", 281],
  ["Latin beyond ASCII", "ß".repeat(280), "ß", 281],
  ["Arabic", "س".repeat(280), "س", 281],
  ["Chinese", "界".repeat(140), "界", 282],
  ["Japanese", "あ".repeat(140), "い", 282],
  ["Korean", "한".repeat(140), "한", 282],
  ["emoji", "🎉".repeat(140), "🎉", 282],
  ["emoji that are joined", FAMILY.repeat(140), FAMILY, 282],
  ["flags and skin tones", "🇸🇪👍🏽".repeat(70), "🇸🇪", 282],
  ["letters in two parts, which count as one", "e\u0301".repeat(280), "e\u0301", 281],
  ["a URL of any length", `${"x".repeat(256)} ${URL_OF_23}`, " x", 282],
  ["a short URL", `${"x".repeat(256)} a.co`, " x", 282],
];

interface Entity {
  start: number;
  end: number;
  username?: string;
  tag?: string;
  url?: string;
}

describe("the rules of twitter-text, over HTTP", () => {
  let roost: Roost;
  let ann: Client;
  beforeAll(async () => {
    roost = await Roost.start({ services: ["user", "graph", "tweet", "timeline", "gateway"] });
    ann = await Client.signUp(`http://127.0.0.1:${gatewayPort(roost.broker)}`, "ann");
  });
  afterAll(() => roost.stop());

  it("takes a link of thousands of characters, whose words are longer than an index takes", async () => {
    const { status } = await ann.request("POST", "/2/tweets", {
      text: `https://example.com/${"a".repeat(2_100)}`,
    });
    expect(status).toBe(201);
  });

  it.each(LENGTHS)("280 are taken and no more: %s", async (_, text, more, weight) => {
    const fits = await ann.request("POST", "/2/tweets", { text });
    expect([fits.status, fits.body.data]).toEqual([201, expect.objectContaining({ text })]);
    const tooLong = await ann.request("POST", "/2/tweets", { text: text + more });
    expect(tooLong.status).toBe(400);
    expect(tooLong.body.errors).toEqual([
      {
        message: `is ${weight} weighted characters long; at most 280 are allowed`,
        parameters: { text: [expect.anything()] },
      },
    ]);
  });

  it.each([
    ["a mention", "🎉 界 @ann!", "mentions", "@ann"],
    ["a hashtag in Swedish", "i #Malmö idag", "hashtags", "#Malmö"],
    ["a hashtag in Japanese", "これは #東京タワー です", "hashtags", "#東京タワー"],
    ["a hashtag in Korean", "👍🏽 #한국어 좋아", "hashtags", "#한국어"],
    ["a hashtag in Arabic", "قال #مرحبا للجميع", "hashtags", "#مرحبا"],
    ["a hashtag in Cyrillic, behind joined emoji", `${FAMILY} #Привет`, "hashtags", "#Привет"],
    ["a hashtag with a full-width sign", "🎉＃寿司 ", "hashtags", "＃寿司"],
    ["a cashtag", "🎉🎉 $TWTR up", "cashtags", "$TWTR"],
    ["a URL", "𝕏𝕏 https://example.org/å?b=c. Yes", "urls", "https://example.org/å?b=c"],
  ])("entities count code points: %s", async (_, text, kind, written) => {
    const id = await ann.tweet(text);
    const { body } = await ann.request("GET", `/2/tweets/${id}?tweet.fields=entities`);
    const [entity, ...others]: Entity[] = Object(body.data).entities[kind];
    expect(others).toEqual([]);
    const { start, end, username, tag, url } = entity ?? { start: 0, end: 0 };
    expect([...text].slice(start, end).join("")).toBe(written);
    const named = kind === "urls" ? "https://example.org/%C3%A5?b=c" : [...written].slice(1).join("");
    expect(username ?? tag ?? url).toBe(named);
  });

  it("a text comes back as it was sent", async () => {
    for (const text of ["e\u0301 & <b>", "a\n\nb", "  x", "\u202Eabc\u202C", "﷽"]) {
      const id = await ann.tweet(text);
      expect((await ann.request("GET", `/2/tweets/${id}`)).body.data).toMatchObject({ text });
    }
  });
});
