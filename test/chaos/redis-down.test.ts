import { setTimeout as sleep } from "node:timers/promises";
import { resourcesOf } from "../../mixins/resources.ts";
import type { ServerHandle } from "../../stack/index.ts";
import { Client } from "../support/client.ts";
import { Roost } from "../support/roost.ts";
import { type OwnRedis, ownRedis } from "../support/servers.ts";
import { Society } from "../support/society.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";

/** What is promised: within 5 s of its return Redis is in use again. Counted in pauses, which a slow machine stretches. */
const PAUSE_MS = 50;
const PAUSES = 5_000 / PAUSE_MS;

describe("Redis out of reach", () => {
  let redis: OwnRedis;
  let server: ServerHandle;
  let proxy: TcpProxy;
  let roost: Roost;
  let society: Society;
  let client: Client;
  beforeAll(async () => {
    redis = await ownRedis("single");
    [server] = redis.servers as [ServerHandle];
    proxy = await TcpProxy.to(redis.redisUrl);
    roost = await Roost.start({
      shards: 2,
      services: ["user", "graph", "tweet", "timeline", "gateway"],
      redisUrl: proxy.url,
    });
    await roost.addNode();
    society = await Society.of(roost, 5);
    client = await Client.signUp(`http://127.0.0.1:${roost.nodes[0]?.port}`, `ann_${process.pid}`);
  });
  afterAll(async () => {
    await roost.stop();
    await proxy.close();
    await redis.destroy();
  });

  const served = (source: "redis" | "postgres") => roost.counted("homeReads", source);
  /** Returns once every node reads from Redis again. */
  const backInUse = async (): Promise<void> => {
    const inUse = () => roost.nodes.every(({ broker }) => resourcesOf(broker).redis?.readable);
    for (let pauses = 0; !inUse(); pauses++) {
      if (pauses === PAUSES) throw new Error("Redis is not in use again in time");
      await sleep(PAUSE_MS);
    }
    const before = await served("redis");
    await society.glance();
    expect(await served("redis")).toBeGreaterThan(before);
  };

  it.each([
    ["refusing connections", () => server.kill("SIGKILL"), () => server.restart()],
    ["hanging", () => server.kill("SIGSTOP"), () => server.kill("SIGCONT")],
    ["behind a network that swallows everything", () => proxy.swallow(), () => proxy.open()],
    ["behind a line that is cut", () => proxy.cut(), () => proxy.open()],
  ])(
    "%s: reads come from Postgres at once, and Redis is in use again soon after its return",
    async (_, lose, regain) => {
      await society.liveUntilRedisServes();
      await society.agree();
      const [fromRedis, fromPostgres] = [await served("redis"), await served("postgres")];
      lose();
      await society.glance();
      await society.live(3);
      const id = await client.tweet("hello");
      const newest = `/2/users/${client.id}/timelines/reverse_chronological?max_results=1`;
      expect(await client.request("GET", newest)).toMatchObject({ status: 200, body: { data: [{ id }] } });
      expect(await served("redis")).toBe(fromRedis);
      expect(await served("postgres")).toBeGreaterThan(fromPostgres);
      await regain();
      await backInUse();
      await society.live(1);
      await society.agree();
    },
  );
});
