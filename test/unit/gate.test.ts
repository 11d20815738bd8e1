import { setImmediate as turn } from "node:timers/promises";
import { Gate } from "../../mixins/gate.ts";

/** Work that ends when the test says so. */
function held() {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  return { work: jest.fn(() => promise), resolve, reject };
}

describe("a gate", () => {
  it("lets so much work through at a time, in the order in which it came", async () => {
    const gate = new Gate("It", { atOnce: 2, waitMs: 60_000 });
    const all = [held(), held(), held(), held()];
    const [a, b, c, d] = all as [ReturnType<typeof held>, ...ReturnType<typeof held>[]];
    const answers = all.map(({ work }) => gate.run(work));
    const begun = async () => {
      await turn();
      return all.map(({ work }) => work.mock.calls.length);
    };
    expect(await begun()).toEqual([1, 1, 0, 0]);
    b?.resolve("b");
    expect(await begun()).toEqual([1, 1, 1, 0]);
    a.resolve("a");
    expect(await begun()).toEqual([1, 1, 1, 1]);
    d?.resolve("d");
    c?.resolve("c");
    expect(await Promise.all(answers)).toEqual(["a", "b", "c", "d"]);
  });

  it("lets the next one through after a failure", async () => {
    const gate = new Gate("It", { atOnce: 1, waitMs: 60_000 });
    const failing = held();
    const failed = gate.run(failing.work);
    const next = gate.run(async () => "next");
    failing.reject(new Error("no"));
    await expect(failed).rejects.toThrow("no");
    expect(await next).toBe("next");
  });

  it("lets others go before who has enough under way, and that one's next as soon as one is done", async () => {
    const gate = new Gate("It", { atOnce: 3, each: 2, waitMs: 60_000 });
    const theirs = [held(), held(), held()];
    const answers = theirs.map(({ work }) => gate.run(work, "greedy"));
    const other = held();
    answers.push(gate.run(other.work, "other"));
    await turn();
    expect(theirs.map(({ work }) => work.mock.calls.length)).toEqual([1, 1, 0]);
    expect(other.work).toHaveBeenCalled();
    theirs[0]?.resolve("first");
    await turn();
    expect(theirs[2]?.work).toHaveBeenCalled();
    for (const { resolve } of [...theirs, other]) resolve("done");
    expect(await Promise.all(answers)).toEqual(["first", "done", "done", "done"]);
  });

  it("sends away what would wait for too long, and never begins it", async () => {
    const gate = new Gate("It", { atOnce: 1, waitMs: 1 });
    const slow = held();
    const late = held();
    const done = gate.run(slow.work);
    await expect(gate.run(late.work)).rejects.toMatchObject({ type: "UNAVAILABLE" });
    slow.resolve("slow");
    expect(await done).toBe("slow");
    expect(await gate.run(async () => "free again")).toBe("free again");
    expect(late.work).not.toHaveBeenCalled();
  });
});
