import { type Master, ReplicationBarrier } from "../../mixins/redis/replication.ts";

/** A master whose WAITs are answered by hand. */
function slowMaster() {
  const waiting: ((count: number) => void)[] = [];
  const master: Master = { wait: () => new Promise((resolve) => waiting.push(resolve)) };
  return { master, waiting, answer: (count: number) => waiting.shift()?.(count) };
}

const yes = async () => true;
const no = async () => false;

describe("waiting for replication", () => {
  it("is over when a replica has it", async () => {
    const barrier = new ReplicationBarrier(() => [{ wait: async () => 1 }], no);
    expect(await barrier.reached()).toBe(true);
  });

  it("is one WAIT for all who ask meanwhile, sent after they asked", async () => {
    const { master, waiting, answer } = slowMaster();
    const barrier = new ReplicationBarrier(() => [master], no);
    const first = barrier.reached();
    const others = Array.from({ length: 50 }, () => barrier.reached());
    expect(waiting).toHaveLength(1);
    answer(1);
    expect(await first).toBe(true);
    await new Promise((resolve) => setImmediate(resolve));
    expect(waiting).toHaveLength(1);
    answer(0);
    expect(new Set(await Promise.all(others))).toEqual(new Set([false]));
  });

  it("is given up for a while where the master has no replica but is in charge", async () => {
    let waits = 0;
    const barrier = new ReplicationBarrier(() => [{ wait: async () => Number(++waits) * 0 }], yes);
    expect([await barrier.reached(), await barrier.reached()]).toEqual([true, true]);
    expect(waits).toBe(1);
  });

  it("asks anew each time who is in charge", async () => {
    const answers = [true, false];
    const barrier = new ReplicationBarrier(
      () => [{ wait: async () => 0 }],
      async () => answers.shift() ?? false,
    );
    expect([await barrier.reached(), await barrier.reached()]).toEqual([true, false]);
  });

  it("fails where the master was deposed, or none is known", async () => {
    expect(await new ReplicationBarrier(() => [{ wait: async () => 0 }], no).reached()).toBe(false);
    expect(await new ReplicationBarrier(() => [], no).reached()).toBe(false);
  });
});
