import fc from "fast-check";
import { ShardDb, sql } from "../../mixins/shard-db/index.ts";
import { migrate } from "../../mixins/shard-db/migrate.ts";
import type { Tweet, TweetEntities, TweetReference } from "../../services/contracts/tweets.ts";
import { documentOf } from "../../services/tweet/search/document.ts";
import { matches, tsqueryOf } from "../../services/tweet/search/interpret.ts";
import { parseQuery, withUserIds } from "../../services/tweet/search/query.ts";
import { tokens } from "../../services/tweet/search/tokens.ts";
import { createShards, type TestShards } from "../support/servers.ts";
import "../support/seed.ts";

const WORDS = [
  ..."a b the café CAFE Straße don't x_y 12 ｆｕｌｌ ﬁne OR ΟΔΟΣ οδός Ёлка елка İstanbul ǅ".split(" "),
  ..."東京 京東 京 タワー ﾀﾜｰ が か 한국 한국어 สวัสดี ကမ္ဘာ كِتَابٌ كتاب می‌خواهم שָׁלוֹם शक्ति".split(" "),
  ..."👍 👍🏽 👨‍👩‍👧 ☕️ ☕ 🇫🇷 🏴󠁧󠁢󠁥󠁮󠁧󠁿 … ， 。 ” - ' \\ \t".split(" "),
  // Longer than a lexeme may be, some of them only once they are normal.
  ..."y 𝒳 \u0F77".split(" ").map((character) => character.repeat(280)),
];
/** Unicode 17 gave them lower-case letters; Postgres 18 knows Unicode 16. */
const YOUNG = /[\uA7CE\uA7D2\uA7D4\uA7F1\u{16EA0}-\u{16EB8}]/u;
const storable = (raw: string) => raw.isWellFormed() && !raw.includes("\0") && !YOUNG.test(raw);
const IDS: Record<string, string> = { alice: "1", bob: "2" };
const LANGS = ["en", "ja", "und"];

const word = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...WORDS) },
  { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 4 }) },
);
const text = fc
  .array(fc.tuple(word, fc.constantFrom(" ", "", ",", " ")), { minLength: 1, maxLength: 12 })
  .map((parts) => parts.flat().join(""))
  .filter(storable);
const place = { start: 0, end: 1 };
const some = <T>(of: fc.Arbitrary<T>) =>
  fc.option(fc.array(of, { minLength: 1, maxLength: 2 }), { nil: undefined });
const entities: fc.Arbitrary<TweetEntities> = fc.record({
  mentions: some(fc.constantFrom("Alice", "bob").map((username) => ({ ...place, username }))),
  hashtags: some(fc.constantFrom("Café", "東京", "\uFDFA".repeat(130)).map((tag) => ({ ...place, tag }))),
  cashtags: some(fc.constant({ ...place, tag: "ABC" })),
  urls: some(
    fc
      .constantFrom("https://a.example/b?c=d", "http://b.example", `https://a.example/${"z".repeat(2_100)}`)
      .map((url) => ({ ...place, url, expanded_url: url, display_url: url })),
  ),
});
const reference: fc.Arbitrary<TweetReference> = fc.record({
  type: fc.constantFrom("retweeted", "replied_to", "quoted"),
  id: fc.constantFrom("77", "78"),
  author_id: fc.constantFrom("1", "2"),
});
const tweet: fc.Arbitrary<Tweet> = fc.record({
  id: fc.bigInt({ min: 1n, max: 2n ** 62n }).map(String),
  author_id: fc.constantFrom("1", "2", "3"),
  text,
  created_at: fc.constant(""),
  conversation_id: fc.constantFrom("77", "99"),
  lang: fc.constantFrom(...LANGS),
  entities: fc.option(entities, { nil: undefined }),
  referenced_tweets: some(reference),
});

const positive = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom(...WORDS.filter((raw) => /^[\p{L}\p{M}]+$/u.test(raw) && raw !== "OR")),
  },
  {
    weight: 3,
    arbitrary: fc.array(fc.constantFrom(...WORDS), { minLength: 1, maxLength: 3 }).map((parts) => {
      const phrase = parts.join(" ").replaceAll(/["“”]/g, "");
      return `"a ${phrase}"`;
    }),
  },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      "@ALICE",
      "#cafe",
      "#東京",
      "$abc",
      "from:alice",
      "to:bob",
      "retweets_of:bob",
      "from:nobody",
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "url:a.example",
      "url:example",
      'url:"example http"',
      "conversation_id:77",
      "quotes_of_tweet_id:78",
    ),
  },
);
const filter = fc.constantFrom(
  "is:reply",
  "is:retweet",
  "is:quote",
  "has:links",
  "has:mentions",
  "has:media",
  "lang:ja",
);
const query = fc.letrec<{ all: string; any: string; leaf: string; deep: string }>((tie) => ({
  deep: fc.oneof({ depthSize: "small" }, positive, tie("all"), tie("any")),
  leaf: fc.oneof(tie("deep"), filter),
  all: fc
    .tuple(tie("deep"), fc.array(fc.tuple(fc.constantFrom("", "-"), tie("leaf")), { maxLength: 3 }))
    .map(([first, rest]) => `(${[first, ...rest.map((part) => part.join(""))].join(" ")})`),
  any: fc.array(tie("deep"), { minLength: 2, maxLength: 3 }).map((parts) => `(${parts.join(" OR ")})`),
})).deep;

describe("what search finds tweets by", () => {
  let shards: TestShards;
  let db: ShardDb;
  beforeAll(async () => {
    shards = await createShards(1);
    await migrate(shards.topology);
    db = new ShardDb(shards.topology, { poolSize: 2, application: "test" });
    await db.open();
  });
  afterAll(async () => {
    await db.close();
    await shards.drop();
  });

  const store = async (tweets: Tweet[]): Promise<void> => {
    const rows = tweets.map((one) => ({ referenced_tweets: null, entities: null, ...one }));
    await db.write(
      { bucket: 0 },
      sql`INSERT INTO tweets (id, author_id, text, entities, referenced_tweets, conversation_id, lang)
          SELECT id, author_id, text, nullif(entities, 'null'), nullif(referenced_tweets, 'null'), conversation_id, lang
          FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
            AS t (id bigint, author_id bigint, text text, entities jsonb, referenced_tweets jsonb, conversation_id bigint, lang text)`,
    );
  };

  const tokensThere = async (texts: string[]): Promise<string[][]> => {
    const rows = await db.read(
      { bucket: 0 },
      sql<{ found: string[] }>`
        SELECT search_tokens(raw) AS found FROM unnest(${texts}::text[]) WITH ORDINALITY AS t (raw, place) ORDER BY place`,
    );
    return rows.map(({ found }) => found);
  };

  it("is the same in Postgres and here, word for word, for any text", async () => {
    const any = fc.oneof(text, fc.string({ unit: "binary" }).filter(storable));
    await fc.assert(
      fc.asyncProperty(fc.array(any, { minLength: 20, maxLength: 40 }), async (texts) => {
        expect(await tokensThere(texts)).toEqual(texts.map(tokens));
      }),
      { numRuns: 100 },
    );
  });

  it("is the same for every character, but for letters that are younger than the Unicode of this Postgres", async () => {
    const characters = Array.from({ length: 0x110000 }, (_, point) => point)
      .filter((point) => point > 0 && (point < 0xd800 || point > 0xdfff))
      .map((point) => String.fromCodePoint(point))
      .filter((character) => !YOUNG.test(character));
    const texts = Array.from({ length: Math.ceil(characters.length / 200) }, (_, i) =>
      characters.slice(200 * i, 200 * (i + 1)).join("y x"),
    );
    expect(await tokensThere(texts)).toEqual(texts.map(tokens));
  });

  it("answers any query as the matcher of streams does", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(tweet, { minLength: 20, maxLength: 40, selector: ({ id }) => id }),
        fc.array(query, { minLength: 20, maxLength: 30 }),
        async (tweets, queries) => {
          await db.write({ bucket: 0 }, sql`DELETE FROM tweets`);
          await store(tweets);
          for (const raw of queries) {
            const parsed = withUserIds(parseQuery(raw), IDS);
            const rows = await db.read(
              { bucket: 0 },
              sql<{ id: string }>`SELECT id FROM tweets WHERE search @@ ${tsqueryOf(parsed)}::tsquery`,
            );
            const here = tweets.filter((one) => matches(parsed, documentOf(one)));
            expect([raw, rows.map(({ id }) => id).sort()]).toEqual([raw, here.map(({ id }) => id).sort()]);
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  it("has as many places in Postgres as here, of a text that is nothing but URLs", async () => {
    await db.write({ bucket: 0 }, sql`DELETE FROM tweets`);
    const long = (n: number) => `https://e.co/${"a/".repeat(n)}b/${"c/d/".repeat(n)}`;
    const made = ["ก".repeat(280), long(100), long(300), long(600)].map(
      (text, i): Tweet => ({
        id: String(1_000 + i),
        author_id: "1",
        text,
        created_at: "",
        conversation_id: "77",
        lang: "und",
        entities: {
          urls: [long(90), long(1)].map((url) => ({ ...place, url, expanded_url: url, display_url: url })),
        },
      }),
    );
    await store(made);
    const rows = await db.read(
      { bucket: 0 },
      sql<{ id: string; document: Record<string, number[]> }>`
        SELECT id, (SELECT json_object_agg(lexeme, coalesce(positions, '{}')) FROM unnest(search)) AS document FROM tweets ORDER BY id`,
    );
    const here = made.map((one) => ({
      id: one.id,
      document: Object.fromEntries([...documentOf(one)].map(([name, places]) => [name, [...places]])),
    }));
    expect(rows).toEqual(here);
  });

  it("is found the same way however far back it lies: phrases, words, and what is not there", async () => {
    await db.write({ bucket: 0 }, sql`DELETE FROM tweets`);
    const made = await db.write(
      { bucket: 0 },
      sql<{ id: string; text: string }>`
        INSERT INTO tweets (id, author_id, text)
        SELECT 1000 + n, 1, concat_ws(' ', 'w' || n % 7, 'w' || n % 11, CASE WHEN n % 1000 = 3 THEN 'rare find' END, 'on every one')
        FROM generate_series(1, 12000) n RETURNING id, text`,
    );
    const holding = (part: string) =>
      made.filter(({ text }) => ` ${text} `.includes(` ${part} `)).map(({ id }) => id);
    for (const part of [
      "rare find",
      "w3 w4",
      "w6 rare find",
      "w2",
      "rare",
      "every one",
      "find rare",
      "w1 nothing",
    ]) {
      const expected = holding(part).sort((a, b) => Number(b) - Number(a));
      for (const [limit, before] of [
        [10, "20000"],
        [20_000, "20000"],
        [5, "6000"],
      ] as const) {
        const rows = await db.read(
          { bucket: 0 },
          sql<{ id: string }>`
            SELECT id FROM tweets_matching(${tsqueryOf(parseQuery(`"${part}"`))}::tsquery, 1001, ${before}, ${limit})`,
        );
        const within = expected.filter((id) => Number(id) > 1001 && Number(id) < Number(before));
        expect([part, rows.map(({ id }) => id)]).toEqual([part, within.slice(0, limit)]);
      }
    }
  });
});
