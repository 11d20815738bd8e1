import fc from "fast-check";
import type { Slice, Window } from "../../mixins/redis/windowed-list.ts";
import { newestFirst } from "../../mixins/shard-db/ids.ts";
import type { Tweet } from "../../services/contracts/tweets.ts";
import type { Id } from "../../services/contracts/users.ts";
import { type Ask, pageFromRows, pageFromWindows } from "../../services/timeline/paging.ts";
import "../support/seed.ts";

const idOf = (n: number): Id => String(1_000_000_000_000_000_000n + BigInt(n));
const tweetOf = (id: Id): Tweet => ({
  id,
  author_id: "1",
  text: "",
  created_at: "",
  conversation_id: id,
  lang: "und",
});
const idsOf = (tweets: Tweet[] | undefined) => tweets?.map(({ id }) => id);

/** A timeline in which some entries are hidden, of which a list holds the newest ones. */
class Timeline {
  calls = 0;
  readonly #ids: Id[];
  readonly #hidden: Set<Id>;
  readonly #floor: Id;

  constructor(numbers: number[], hidden: number[], kept: number) {
    this.#ids = numbers.map(idOf).sort(newestFirst);
    this.#hidden = new Set(hidden.map(idOf));
    this.#floor = this.#ids[kept] ?? "0";
  }

  readonly windowsOf = async ({ before, count }: Slice): Promise<Window[]> => {
    this.calls++;
    const stored = this.#ids.filter((id) => newestFirst(id, this.#floor) < 0);
    const older = stored.filter((id) => before === undefined || newestFirst(id, before) > 0);
    const next = older[count];
    return [{ ids: older.slice(0, count), floor: next ?? this.#floor, cut: next !== undefined }];
  };

  readonly rowsOf = async ({ range, limit, nextNewer }: Ask): Promise<Tweet[]> => {
    this.calls++;
    const within = this.#within(range);
    return (nextNewer ? within.slice(-limit) : within.slice(0, limit)).map(tweetOf);
  };

  readonly show = async (candidates: (Id | Tweet)[]): Promise<Tweet[]> => {
    this.calls++;
    const ids = candidates.map((candidate) => (typeof candidate === "string" ? candidate : candidate.id));
    return ids.filter((id) => !this.#hidden.has(id)).map(tweetOf);
  };

  readonly fromPostgres = (ask: Ask) => pageFromRows(this.rowsOf, ask, this.show);

  answer({ range, limit, nextNewer }: Ask): Id[] {
    const visible = this.#within(range).filter((id) => !this.#hidden.has(id));
    return nextNewer ? visible.slice(-limit) : visible.slice(0, limit);
  }

  #within({ before, after }: Ask["range"]): Id[] {
    return this.#ids.filter(
      (id) => (!before || newestFirst(id, before) > 0) && (!after || newestFirst(id, after) < 0),
    );
  }
}

const numbers = fc.uniqueArray(fc.nat(300), { maxLength: 200 });
const timelines = fc
  .tuple(numbers, fc.array(fc.nat(300), { maxLength: 300 }), fc.nat(220))
  .map(([all, hidden, kept]) => new Timeline(all, hidden, kept));
const end = fc.option(fc.nat(300).map(idOf), { nil: undefined });
const asks = fc.record({
  range: fc.record({ before: end, after: end }),
  limit: fc.integer({ min: 1, max: 101 }),
  nextNewer: fc.boolean(),
});

describe("a page", () => {
  it("is what shows of its range, however much of it is hidden and wherever the list ends", async () => {
    await fc.assert(
      fc.asyncProperty(timelines, asks, async (timeline, ask) => {
        const { windowsOf, show, fromPostgres } = timeline;
        expect(idsOf(await pageFromWindows(windowsOf, ask, show, fromPostgres))).toEqual(
          timeline.answer(ask),
        );
        expect(idsOf(await fromPostgres(ask))).toEqual(timeline.answer(ask));
      }),
      { numRuns: 500 },
    );
  });

  it("takes few round trips also where hundreds of entries in a row are hidden", async () => {
    const all = Array.from({ length: 800 }, (_, n) => n);
    const ask: Ask = { range: {}, limit: 2, nextNewer: false };
    const timeline = new Timeline(all, all.slice(1), 799);
    const page = await pageFromWindows(timeline.windowsOf, ask, timeline.show, timeline.fromPostgres);
    expect(idsOf(page)).toEqual([idOf(0)]);
    expect(timeline.calls).toBeLessThan(40);
  });
});
