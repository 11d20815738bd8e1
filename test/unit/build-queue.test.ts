import { setImmediate as turn } from "node:timers/promises";
import { BuildQueue } from "../../mixins/redis/build-queue.ts";

/** A build that ends when the test says so. */
function held() {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const build = jest.fn(() => promise);
  return { build, resolve, reject };
}

const patient = { atOnce: 2, waitMs: 60_000 };

describe("a queue of builds", () => {
  it("runs so many at a time, in the order in which they were asked for", async () => {
    const queue = new BuildQueue(patient);
    const [a, b, c, d] = [held(), held(), held(), held()];
    const answers = [a, b, c, d].map(({ build }, i) => queue.run(String(i), build));
    await turn();
    expect([a, b, c, d].map(({ build }) => build.mock.calls.length)).toEqual([1, 1, 0, 0]);
    b.resolve(true);
    await turn();
    expect([a, b, c, d].map(({ build }) => build.mock.calls.length)).toEqual([1, 1, 1, 0]);
    for (const { resolve } of [a, c, d]) resolve(false);
    expect(await Promise.all(answers)).toEqual([false, true, false, false]);
  });

  it("lets everyone share a build who asks before it has ended, and builds anew after", async () => {
    const queue = new BuildQueue(patient);
    const first = held();
    const shared = [queue.run("list", first.build), queue.run("list", first.build)];
    first.resolve(true);
    expect(await Promise.all(shared)).toEqual([true, true]);
    expect(first.build).toHaveBeenCalledTimes(1);
    expect(await queue.run("list", async () => false)).toBe(false);
  });

  it("goes on after a failure, which all who share it learn of", async () => {
    const queue = new BuildQueue({ ...patient, atOnce: 1 });
    const failing = held();
    const answers = [queue.run("list", failing.build), queue.run("list", failing.build)];
    const next = queue.run("other", async () => true);
    failing.reject(new Error("no"));
    for (const answer of await Promise.allSettled(answers)) expect(answer.status).toBe("rejected");
    expect(await next).toBe(true);
  });

  it("lets nobody wait for longer than promised, and goes on with the build", async () => {
    const queue = new BuildQueue({ ...patient, waitMs: 1 });
    const slow = held();
    expect(await queue.run("list", slow.build)).toBeUndefined();
    slow.resolve(true);
    await turn();
    expect(await queue.run("list", async () => false)).toBe(false);
  });
});
