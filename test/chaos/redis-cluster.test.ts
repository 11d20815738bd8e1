import type { ServerHandle } from "../../stack/index.ts";
import { RedisCluster } from "../support/redis-cluster.ts";
import { eventually, Roost } from "../support/roost.ts";
import type { OwnRedis } from "../support/servers.ts";
import { Society } from "../support/society.ts";

describe("a master of a Redis Cluster that its replica takes over from", () => {
  let cluster: RedisCluster;
  let redis: OwnRedis;
  let roost: Roost;
  let society: Society;
  beforeAll(async () => {
    cluster = await RedisCluster.start();
    redis = cluster.redis;
    roost = await Roost.start({ shards: 2, redisUrl: cluster.url });
    await roost.addNode();
    society = await Society.of(roost, 6);
    await society.liveUntilRedisServes();
    await society.agree();
  });
  afterAll(async () => {
    await roost.stop();
    await redis.destroy();
  });

  const homeLists = (server: ServerHandle) =>
    redis.ask(server, async (client) => (await client.keys("*:home:*")).length);
  /** The replica with the most home lists, and its master. */
  const busiest = async (): Promise<{ master: ServerHandle; replica: ServerHandle }> => {
    const pairs = await Promise.all(
      redis.servers.map(async (replica) => {
        const [, , port] = await redis.ask(replica, (client) => client.role());
        const master = redis.servers.find((server) => server.port === port);
        return master ? [{ master, replica, lists: await homeLists(replica) }] : [];
      }),
    );
    const [found] = pairs.flat().sort((a, b) => b.lists - a.lists);
    if (!found || found.lists === 0) throw new Error("no replica with home lists");
    return found;
  };

  it("killed before its replica has the last writes: no hole, and nothing that is hidden shows", async () => {
    const { master, replica } = await busiest();
    await cluster.cutOff(replica, master);
    await society.tweetAndHide();
    await roost.settle();
    master.kill("SIGKILL");
    await eventually(() => cluster.isMaster(replica), "the replica in charge");
    await society.lookUntilRedisServes();
    await society.agree();
    await master.restart();
    await eventually(() => cluster.linked(master), "the old master in sync");
  });

  it("stopped and continued after the other one took over: nothing acknowledged is swallowed", async () => {
    const { master, replica } = await busiest();
    master.kill("SIGSTOP");
    await society.live(1, () => cluster.isMaster(replica));
    await society.live(2);
    master.kill("SIGCONT");
    await society.live(3);
    await society.liveUntilRedisServes();
    await society.agree();
  });
});
