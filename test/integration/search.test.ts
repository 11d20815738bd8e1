import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { idTimeMs } from "../../mixins/shard-db/ids.ts";
import { scatter } from "../../mixins/shard-db/scatter.ts";
import type { ParamsOf } from "../../services/contracts/actions.ts";
import type { Id } from "../../services/contracts/users.ts";
import { type Person, Roost } from "../support/roost.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";

const WORDS = "apple pear plum fig quince date".split(" ");
const HAS = (word: string) => `' ' || text || ' ' LIKE '% ${word} %'`;
const IS = (type: string) => `referenced_tweets @> '[{"type": "${type}"}]'`;

describe("search", () => {
  let roost: Roost;
  let people: Person[];
  let [me, author, other]: Person[] = [];
  let clock = Date.now();

  /** What a condition in plain SQL finds on all shards, newest first. */
  const truth = async (condition: string): Promise<Id[]> => {
    const rows = await roost.oracle.rows<{ id: Id }>(`SELECT id::text FROM tweets WHERE ${condition}`, []);
    return rows.map(({ id }) => id).sort((a, b) => (a < b ? 1 : -1));
  };
  const search = async (
    query: string,
    more: Partial<ParamsOf<"tweet.search">> = {},
    as = me,
  ): Promise<Id[]> => {
    const ids: Id[] = [];
    let cursor: string | undefined;
    do {
      const page = await roost.call("tweet.search", { query, limit: 50, cursor, ...more }, as);
      ids.push(...page.tweets.map(({ id }) => id));
      cursor = page.next_cursor;
    } while (cursor);
    return ids;
  };
  const count = (query: string, granularity: ParamsOf<"tweet.counts">["granularity"], more = {}, as = me) =>
    roost.call("tweet.counts", { query, granularity, ...more }, as);
  const tweet = async (as: Person | undefined, text: string, more = {}): Promise<Id> =>
    (await roost.call("tweet.create", { text, ...more }, as)).id;

  beforeAll(async () => {
    roost = await Roost.start({ shards: 3 });
    people = await roost.people(20);
    [me, author, other] = people;
    const made: Id[] = [];
    await scatter(
      Array.from({ length: 240 }, (_, i) => i),
      4,
      async (i) => {
        const who = people[i % people.length];
        const text = Array.from({ length: 5 }, (_, n) => WORDS[(i * (n + 3) + n * n) % WORDS.length]).join(
          " ",
        );
        const parent = made[i - 10];
        const more =
          i % 5 === 0 && parent
            ? { in_reply_to_tweet_id: parent }
            : i % 7 === 0 && parent
              ? { quote_tweet_id: parent }
              : {};
        made.push(await tweet(who, text, more));
      },
    );
    for (const id of made.slice(0, 12)) await roost.call("tweet.retweet", { tweet_id: id }, other);
    clock = Date.now();
  });
  afterAll(() => roost.stop());

  it.each([
    ["apple", HAS("apple")],
    ["APPLE -pear", `${HAS("apple")} AND NOT ${HAS("pear")}`],
    ["apple fig OR quince", `(${HAS("apple")} AND ${HAS("fig")}) OR ${HAS("quince")}`],
    [
      "apple (fig OR quince) -is:retweet",
      `${HAS("apple")} AND (${HAS("fig")} OR ${HAS("quince")}) AND ${IS("retweeted")} IS NOT TRUE`,
    ],
    ['"plum fig"', HAS("plum fig")],
    ["plum is:reply", `${HAS("plum")} AND ${IS("replied_to")}`],
    [
      "(plum OR date) -(is:reply OR is:quote)",
      `(${HAS("plum")} OR ${HAS("date")}) AND NOT coalesce(${IS("replied_to")} OR ${IS("quoted")}, false)`,
    ],
    ["pear is:retweet", `${HAS("pear")} AND ${IS("retweeted")}`],
    ["nothing", "false"],
  ])("answers %s as a scan of all shards does", async (query, condition) => {
    const expected = await truth(condition);
    if (query !== "nothing") expect(expected.length).toBeGreaterThan(3);
    expect(await search(query)).toEqual(expected);
    expect(await search(query, { limit: 10 })).toEqual(expected);
  });

  it("knows authors and whom they answer by name", async () => {
    const { id = "", username } = author ?? {};
    expect(await search(`from:${username}`)).toEqual(await truth(`author_id = ${id}`));
    const replies = await truth(`referenced_tweets @> '[{"type": "replied_to", "author_id": "${id}"}]'`);
    expect(replies.length).toBeGreaterThan(0);
    expect(await search(`to:${username?.toUpperCase()}`)).toEqual(replies);
    expect(await search(`apple -from:${username}`)).toEqual(
      await truth(`${HAS("apple")} AND author_id <> ${id}`),
    );
    expect(await search("from:nobody_at_all")).toEqual([]);
  });

  it("keeps to a range of ids or of times", async () => {
    const all = await truth(HAS("apple"));
    const [until = "", since = ""] = [all[10], all[40]];
    expect(await search("apple", { since_id: since, until_id: until })).toEqual(all.slice(11, 40));
    const at = (id: Id) => new Date(idTimeMs(id)).toISOString();
    const times = { start_time: at(since), end_time: at(until) };
    const within = all.filter((id) => idTimeMs(id) >= idTimeMs(since) && idTimeMs(id) < idTimeMs(until));
    expect(await search("apple", times)).toEqual(within);
  });

  it("pages without skipping or repeating while tweets arrive", async () => {
    const before = await truth(HAS("quince"));
    const seen: Id[] = [];
    let cursor: string | undefined;
    do {
      const page = await roost.call("tweet.search", { query: "quince", limit: 10, cursor }, me);
      seen.push(...page.tweets.map(({ id }) => id));
      cursor = page.next_cursor;
      await tweet(people[seen.length % 20], "another quince");
    } while (cursor);
    expect(seen).toEqual(before);
  });

  it("finds a tweet when its POST returns, and never once it is deleted; nor a retweet of it", async () => {
    const id = await tweet(author, "a passing rambutan");
    const { id: again } = await roost.call("tweet.retweet", { tweet_id: id }, other);
    expect(await search("rambutan")).toEqual([again, id]);
    expect((await count("rambutan", "hour")).total).toBe(2);
    await roost.call("tweet.delete", { id }, author);
    expect(await search("rambutan")).toEqual([]);
    expect((await count("rambutan", "hour")).total).toBe(0);
  });

  it("leaves out who is across a block, either way, and retweets of them; who is muted stays", async () => {
    const [blocker, blocked, muted] = people.slice(10);
    const id = await tweet(blocked, "a hidden salak");
    const kept = await tweet(muted, "a muted salak");
    const { id: again } = await roost.call("tweet.retweet", { tweet_id: id }, other);
    await roost.call("graph.mute", { target_user_id: muted?.id ?? "" }, blocker);
    expect(await search("salak", {}, blocker)).toEqual([again, kept, id]);
    await roost.call("graph.block", { target_user_id: blocked?.id ?? "" }, blocker);
    const shown = await tweet(blocker, "my own salak");
    expect(await search("salak", {}, blocker)).toEqual([shown, kept]);
    expect((await count("salak", "day", {}, blocker)).total).toBe(2);
    expect(await search("salak", {}, blocked)).toEqual([again, kept, id]);
    expect((await count("salak", "day", {}, blocked)).total).toBe(3);
  });

  it("tells the language of a tweet and finds it by that", async () => {
    const german = await tweet(author, "Heute gibt es endlich wieder reife Kumquat im Garten");
    const english = await tweet(author, "What people in this country call a kumquat is not one at all");
    const none = await tweet(author, "kumquat!!! https://plum.example.com");
    const { tweets } = await roost.call("tweet.get", { ids: [german, english] }, me);
    expect(tweets.map(({ lang }) => lang)).toEqual(["de", "en"]);
    expect(await search("kumquat lang:de")).toEqual([german]);
    expect(await search("kumquat lang:EN -has:links")).toEqual([english]);
    expect(await search("url:plum.example.com")).toEqual([none]);
  });

  it("counts by minute, hour and day what it finds, with every bucket of the range", async () => {
    const end_time = new Date(clock).toISOString();
    const found = (await truth(HAS("pear"))).filter((id) => idTimeMs(id) < clock);
    for (const [granularity, widthMs, atLeast] of [
      ["minute", 60_000, 10_080],
      ["hour", 3_600_000, 168],
      ["day", 86_400_000, 7],
    ] as const) {
      const { counts, total } = await count("pear", granularity, { end_time });
      expect(total).toBe(found.length);
      expect([atLeast, atLeast + 1]).toContain(counts.length);
      expect(counts.at(-1)?.end).toBe(end_time);
      const starts = counts.slice(1).map(({ start }) => start);
      expect(starts).toEqual(counts.slice(0, -1).map(({ end }) => end));
      expect(starts.filter((start) => Date.parse(start) % widthMs !== 0)).toEqual([]);
      const between = (start: string, end: string) =>
        found.filter((id) => idTimeMs(id) >= Date.parse(start) && idTimeMs(id) < Date.parse(end)).length;
      expect(counts.filter(({ start, end, tweet_count }) => tweet_count !== between(start, end))).toEqual([]);
    }
  });

  it.each([
    [{ query: "apple OR" }, "query", /^at column 9: expected/],
    [{ query: "-apple" }, "query", /^needs a word/],
    [{ query: `apple${" pear".repeat(102)}` }, "query", /^must be at most 512 characters long, not 515$/],
    [
      { start_time: new Date(Date.now() - 8 * 86_400_000).toISOString() },
      "start_time",
      /^must lie within the last 7 days/,
    ],
    [
      { end_time: new Date(Date.now() + 86_400_000).toISOString() },
      "end_time",
      /^must not lie in the future/,
    ],
    [{ since_id: "5" }, "since_id", /^must lie within the last 7 days/],
    [{ since_id: "9223372036854775807" }, "since_id", /^must not lie in the future/],
    [{ until_id: "5" }, "until_id", /^must lie within the last 7 days/],
    [
      {
        start_time: new Date(Date.now() - 1_000).toISOString(),
        end_time: new Date(Date.now() - 2_000).toISOString(),
      },
      "start_time",
      /^must lie before end_time/,
    ],
  ])("refuses %j", async (wrong, field, message) => {
    const asked = { query: "apple", ...wrong };
    for (const answer of [
      roost.call("tweet.search", { ...asked, limit: 10 }, me),
      roost.call("tweet.counts", { ...asked, granularity: "day" }, me),
    ]) {
      await expect(answer).rejects.toMatchObject({
        type: "INVALID_REQUEST",
        data: {
          errors: [
            { message: expect.stringMatching(message), parameters: { [field]: [expect.any(String)] } },
          ],
        },
      });
    }
  });

  it("is a 503 while a shard is away: what it holds is not left out", async () => {
    const [s0, s1, s2] = roost.shards.topology.shards;
    if (!s0 || !s1 || !s2) throw new Error("three shards");
    const proxy = await TcpProxy.to(s2.primary);
    const folder = mkdtempSync(join(tmpdir(), "roost-proxy-"));
    const file = join(folder, "topology.json");
    writeFileSync(file, JSON.stringify({ shards: [s0, s1, { ...s2, primary: proxy.url }] }));
    const { broker } = await roost.addNode({ TOPOLOGY_FILE: file });
    try {
      proxy.cut();
      // Nothing but the tweets that match is on the shard that is away.
      const viewer = (await roost.people(40)).find(
        (person) => roost.resources.db.shardOf(person) === s0.name,
      );
      const query = "apple -is:retweet";
      for (const answer of [
        roost.call("tweet.search", { query, limit: 10 }, viewer, broker),
        roost.call("tweet.counts", { query, granularity: "day" }, viewer, broker),
      ]) {
        await expect(answer).rejects.toMatchObject({
          type: "UNAVAILABLE",
          data: { detail: expect.stringContaining("shard s2") },
        });
      }
    } finally {
      proxy.open();
      await roost.nodes.pop()?.stop();
      await proxy.close();
      rmSync(folder, { recursive: true });
    }
  });
});
