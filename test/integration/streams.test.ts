import { limits } from "../../config/limits.ts";
import type { Meta } from "../../services/contracts/context.ts";
import { queriesOf } from "../../services/gateway/streams/backfill.ts";
import { FilteredStream } from "../../services/gateway/streams/filtered-stream.ts";
import { HomeStream } from "../../services/gateway/streams/home-stream.ts";
import { eventually } from "../support/roost.ts";
import { type Answers, PLAIN, StreamBench } from "../support/stream-bench.ts";

const ME = "2097450384773812224";
const viewer = { userId: ME, sessionId: "s", username: "me" };
const meta: Meta = { viewer };
const usual = { ...limits.streams };
const NO_NEWS = { shards: { s0: { position: "1000", ids: [] } }, more: false };
const NOTHING = { tweets: [], users: [] };

describe("streams", () => {
  let bench: StreamBench;
  const start = async (answers: Answers) => {
    bench = await new StreamBench({
      "tweet.since": () => NO_NEWS,
      "tweet.get": () => NOTHING,
      "tweet.search": () => NOTHING,
      "tweet.rules": () => ({ rules: [] }),
      "timeline.authors": () => [],
      "timeline.home": () => NOTHING,
      ...answers,
    }).start();
  };
  const openHome = (lastSeen?: string) =>
    bench.open(meta, ({ streams, inItsWords }, outlet) =>
      new HomeStream(outlet, { streams, inItsWords, viewer, view: PLAIN, exclude: undefined }).prepare(
        lastSeen,
      ),
    );
  const openFiltered = (startMs?: number) =>
    bench.open(meta, (stream, outlet) =>
      new FilteredStream(outlet, stream, PLAIN).prepare({ startMs, endMs: undefined }),
    );
  /** Long enough for whatever still runs to show. */
  const aWhile = () => new Promise((resolve) => setTimeout(resolve, 300));

  afterEach(async () => {
    Object.assign(limits.streams, usual);
    await bench.stop();
  });

  it.each([
    ["timeline.home", openHome],
    ["timeline.authors", openHome],
    ["tweet.since", openHome],
    ["tweet.rules", openFiltered],
    ["tweet.since", openFiltered],
  ] as const)("asks nothing more for whom leaves while %s is asked", async (action, open) => {
    Object.assign(limits.streams, { homePollMs: 5, refreshMs: 5, pollMs: 5, recheckMs: 5 });
    const [asked, answer] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const held = async (here: typeof action) => {
      if (here !== action) return;
      asked.resolve();
      await answer.promise;
    };
    await start({
      "timeline.home": () => held("timeline.home").then(() => NOTHING),
      "timeline.authors": () => held("timeline.authors").then(() => []),
      "tweet.rules": () => held("tweet.rules").then(() => ({ rules: [] })),
      "tweet.since": () => held("tweet.since").then(() => NO_NEWS),
    });
    const { served, leave } = open();
    await asked.promise;
    await leave();
    answer.resolve();
    await served;
    await aWhile();
    const before = bench.calls.length;
    await aWhile();
    expect(bench.calls.length - before).toBe(0);
  });

  it("asks for what a client missed a hundred at a time, and for no more once it has gone", async () => {
    const ids = Array.from({ length: 800 }, (_, i) => String(10_000 - i));
    const tweetOf = (id: string) => ({
      id,
      author_id: ME,
      text: "hello",
      created_at: "2026-11-22T00:00:00.000Z",
      conversation_id: id,
      lang: "en",
    });
    const [asked, answer] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    await start({
      "timeline.home": ({ cursor = "0", limit }) => {
        const next = Number(cursor) + limit;
        const tweets = ids.slice(Number(cursor), next).map(tweetOf);
        return { tweets, users: [], ...(next < ids.length ? { next_cursor: String(next) } : {}) };
      },
      "tweet.get": async ({ ids: some }, { viewer: asking }) => {
        expect(asking?.userId).toBe(ME);
        if (bench.count("tweet.get") === 10) {
          asked.resolve();
          await answer.promise;
        }
        return { tweets: some.map(tweetOf), users: [] };
      },
    });
    const { served, text } = openHome("9000");
    await served;
    await eventually(() => text.sent.includes(`"${ids[0]}"`), "the last tweet that was missed");
    expect(bench.count("tweet.get")).toBe(8);
    const other = openHome("9000");
    await other.served;
    await asked.promise;
    await other.leave();
    answer.resolve();
    await aWhile();
    expect(bench.count("tweet.get")).toBe(10);
  });

  it("share their owner's rules, which are parsed once, a turn each, and read once after several changes", async () => {
    const rules = Array.from({ length: 300 }, (_, i) => ({ id: String(i + 1), value: `shared${i} from:me` }));
    await start({ "tweet.rules": () => ({ rules }), "user.resolve": () => ({ me: ME }) });
    const turnsOf = async (work: () => Promise<unknown>) => {
      let turns = 0;
      let counting = true;
      const count = () => {
        if (!counting) return;
        turns++;
        setImmediate(count);
      };
      count();
      await work();
      counting = false;
      return turns;
    };
    const set = () => bench.streams.rules.take(`user:${ME}`, meta);
    expect(await turnsOf(() => set().load())).toBeGreaterThanOrEqual(300);
    expect(await turnsOf(() => set().load())).toBeLessThan(100);
    const opened = [openFiltered(), openFiltered(), openFiltered()];
    await Promise.all(opened.map(({ served }) => served));
    const before = bench.count("tweet.rules");
    for (let change = 0; change < 10; change++)
      bench.streams.events["stream.rules"]({ params: { owner: `user:${ME}` } });
    await aWhile();
    expect(bench.count("tweet.rules") - before).toBe(1);
    for (let n = 0; n < 2; n++) bench.streams.rules.release(`user:${ME}`);
  });

  it("search the past with few queries, two streams at a time, and no further for whom leaves", async () => {
    const rules = Array.from({ length: 1_000 }, (_, i) => ({ id: String(i + 1), value: `past${i}` }));
    const answer = Promise.withResolvers<void>();
    await start({
      "tweet.rules": () => ({ rules }),
      "tweet.search": () => answer.promise.then(() => NOTHING),
    });
    const opened = [openFiltered(1), openFiltered(1), openFiltered(1), openFiltered(1)];
    await eventually(() => bench.count("tweet.search") === 4, "searches of two streams");
    await aWhile();
    expect(bench.count("tweet.search")).toBe(4);
    await Promise.all(opened.slice(1).map(({ leave }) => leave()));
    answer.resolve();
    await Promise.all(opened.map(({ served }) => served));
    // Of the others, the one that had begun had two under way.
    expect(bench.count("tweet.search")).toBe(2 + queriesOf(rules.map(({ value }) => value)).length);
  });

  it("counts who leaves early until its opening has come to an end", async () => {
    Object.assign(limits.streams, { connectionsEach: 1 });
    const answer = Promise.withResolvers<void>();
    await start({ "tweet.rules": () => answer.promise.then(() => ({ rules: [] })) });
    const first = openFiltered();
    await eventually(() => bench.count("tweet.rules") === 1, "the first stream's rules");
    await first.leave();
    await expect(openFiltered().served).rejects.toMatchObject({ type: "TOO_MANY_REQUESTS" });
    answer.resolve();
    await first.served;
    await openFiltered().served;
  });
});
