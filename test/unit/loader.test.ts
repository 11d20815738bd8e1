import { setImmediate as nextTurn } from "node:timers/promises";
import { Loader } from "../../mixins/loader.ts";

describe("a loader", () => {
  const loading = (most: number) => {
    const asked: number[][] = [];
    const loader = new Loader<number, string>(most, async (keys) => {
      asked.push(keys);
      if (keys.includes(13)) throw new Error("no 13");
      return keys.map((key) => `answer ${key}`);
    });
    return { loader, asked };
  };

  it("asks once for all that is asked in one turn, and gives each its own answer", async () => {
    const { loader, asked } = loading(10);
    const answers = await Promise.all([3, 1, 2, 1].map((key) => loader.load(key)));
    expect(answers).toEqual(["answer 3", "answer 1", "answer 2", "answer 1"]);
    expect(asked).toEqual([[3, 1, 2, 1]]);
  });

  it("asks again for what is asked later", async () => {
    const { loader, asked } = loading(10);
    await loader.load(1);
    await nextTurn();
    await loader.load(1);
    expect(asked).toEqual([[1], [1]]);
  });

  it("asks for no more at a time than it may; a failure concerns those that were asked for together", async () => {
    const { loader, asked } = loading(2);
    const answers = await Promise.allSettled([1, 2, 13, 4, 5].map((key) => loader.load(key)));
    expect(asked).toEqual([[1, 2], [13, 4], [5]]);
    expect(answers.map(({ status }) => status)).toEqual([
      "fulfilled",
      "fulfilled",
      "rejected",
      "rejected",
      "fulfilled",
    ]);
  });
});
