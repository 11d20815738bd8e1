import { setTimeout as sleep } from "node:timers/promises";
import { Cluster } from "ioredis";
import { SlotClient } from "../../mixins/redis/slots.ts";

const REFRESH_MS = 10;

describe("a client of a Redis Cluster", () => {
  it("lets its process end, though it was closed while it asked who has which slots", async () => {
    const answers: (() => void)[] = [];
    const asked = jest
      .spyOn(Cluster.prototype, "refreshSlotsCache")
      .mockImplementation((done) => void answers.push(() => done?.(null)));
    const client = new SlotClient([{ host: "127.0.0.1", port: 1 }], {
      lazyConnect: true,
      enableReadyCheck: false,
      slotsRefreshInterval: REFRESH_MS,
      redisOptions: { lazyConnect: true },
    });
    client.on("error", () => {});
    const ready = client.connect();
    while (answers.length < 1) await sleep(1);
    client.emit("refresh");
    await ready;
    while (answers.length < 2) await sleep(1);
    client.disconnect();
    while (client.status !== "end") await sleep(1);
    answers[1]?.();
    await sleep(5 * REFRESH_MS);
    expect(asked).toHaveBeenCalledTimes(2);
    asked.mockRestore();
  });
});
