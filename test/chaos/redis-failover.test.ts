import { setTimeout as sleep } from "node:timers/promises";
import type { Redis } from "ioredis";
import { RedisDown, RedisStore } from "../../mixins/redis/index.ts";
import type { RunningNode } from "../../services/node.ts";
import type { ServerHandle } from "../../stack/index.ts";
import { eventually, Roost } from "../support/roost.ts";
import { type OwnRedis, ownRedis } from "../support/servers.ts";
import { Society } from "../support/society.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";

describe("a Redis master that another one takes over from", () => {
  let redis: OwnRedis;
  let roost: Roost;
  let society: Society;
  /** Knows the sentinels by these addresses alone. */
  let deaf: RunningNode;
  let proxies: TcpProxy[];
  beforeAll(async () => {
    redis = await ownRedis("replicas");
    const [, credentials, hosts = "", name] = /:\/\/(.*@)(.*)\/(.*)$/.exec(redis.redisUrl) ?? [];
    proxies = await Promise.all(hosts.split(",").map((host) => TcpProxy.to(`redis://${host}`)));
    const behindProxies = proxies.map(({ url }) => new URL(url).host).join(",");
    roost = await Roost.start({ shards: 2, redisUrl: redis.redisUrl });
    deaf = await roost.addNode({ REDIS_URL: `redis+sentinel://${credentials}${behindProxies}/${name}` });
    society = await Society.of(roost, 5);
    await society.liveUntilRedisServes();
    await society.agree();
  });
  afterAll(async () => {
    await roost.stop();
    await Promise.all(proxies.map((proxy) => proxy.close()));
    await redis.destroy();
  });

  const data = () => redis.servers.filter(({ name }) => name.startsWith("redis-"));
  const roleOf = (server: ServerHandle) =>
    redis.ask(server, async (client) => String((await client.role())[0])).catch(() => "down");
  const withRole = async (role: "master" | "slave"): Promise<ServerHandle> => {
    for (const server of data()) if ((await roleOf(server)) === role) return server;
    throw new Error(`no ${role}`);
  };
  const becomes = (server: ServerHandle, role: "master" | "slave") =>
    eventually(async () => (await roleOf(server)) === role, `${server.name} a ${role}`);
  /** As the sentinels would see to it, which takes them ten seconds. */
  const follows = async (replica: ServerHandle, master: ServerHandle) => {
    await redis.ask(replica, (client) => client.replicaof("127.0.0.1", master.port));
    const inSync = () =>
      redis.ask(replica, async (client) => /link_status:up/.test(await client.info("replication")));
    await eventually(inSync, `${replica.name} in sync`);
  };

  it("killed before its replica has the last writes: no hole, and nothing that is hidden shows", async () => {
    const [master, replica] = [await withRole("master"), await withRole("slave")];
    // It keeps what it has, and gets nothing more.
    await redis.ask(replica, (client) => client.replicaof("127.0.0.1", 1));
    await society.tweetAndHide();
    await roost.settle();
    master.kill("SIGKILL");
    await becomes(replica, "master");
    await society.lookUntilRedisServes();
    await society.agree();
    await master.restart();
    await follows(master, replica);
  });

  it("stopped and continued after the other one took over: nothing acknowledged is swallowed", async () => {
    const [master, replica] = [await withRole("master"), await withRole("slave")];
    master.kill("SIGSTOP");
    await society.live(1, async () => (await roleOf(replica)) === "master");
    await society.live(2);
    master.kill("SIGCONT");
    await society.live(3);
    await society.agree();
    await follows(master, replica);
  });

  describe("and goes on as a master, to a process that cannot reach the sentinels", () => {
    let deposed: ServerHandle;
    let successor: ServerHandle;
    /** Keeps the sentinels from demoting a server. */
    const keepAsMaster = (server: ServerHandle, keep: boolean) =>
      redis.ask(server, (client) => {
        const sign = keep ? "-" : "+";
        return client.acl("SETUSER", "default", `${sign}slaveof`, `${sign}replicaof`);
      });
    beforeAll(async () => {
      successor = await withRole("slave");
      deposed = await withRole("master");
      await keepAsMaster(deposed, true);
      for (const proxy of proxies) proxy.cut();
      const [sentinel] = redis.servers.filter(({ name }) => name.startsWith("sentinel-"));
      if (!sentinel) throw new Error("no sentinel");
      // Refused, or given up, for as long as the sentinels remember the replica as one without a master: up to 10 s.
      for (let tries = 0; tries < 40 && (await roleOf(successor)) !== "master"; tries++) {
        await redis.ask(sentinel, (client) => client.call("SENTINEL", "FAILOVER", "roost")).catch(() => {});
        await sleep(1_000);
      }
      await becomes(successor, "master");
    });
    afterAll(async () => {
      await keepAsMaster(deposed, false);
      await follows(deposed, successor);
      for (const proxy of proxies) proxy.open();
    });

    it("swallows nothing that was acknowledged there", async () => {
      const homeLists = (client: Redis) => client.keys("*:home:*");
      await redis.ask(successor, (client) => client.flushall());
      society.nodes = roost.nodes.filter((node) => node !== deaf);
      await society.look(
        async () => (await redis.ask(successor, homeLists)).length === society.people.length,
      );
      society.nodes = [deaf];
      await society.tweetAndHide();
      society.nodes = roost.nodes;
      await society.agree();
      expect(await roleOf(deposed)).toBe("master");
    });
  });

  it("is not trusted with what another connection wrote", async () => {
    const store = new RedisStore(redis.redisUrl, { prefix: "break:", maxAgeMs: 60_000 });
    await store.open();
    const master = await withRole("master");
    const broken = store.durably(async () => {
      await store.setAll([["break:{1}:key", "value"]], 60_000);
      await redis.ask(master, (client) => client.client("KILL", "TYPE", "normal", "SKIPME", "yes"));
      await eventually(() => store.ping(), "another connection");
    });
    await expect(broken).rejects.toThrow(RedisDown);
    await store.durably(async () => {});
    await store.close();
  });
});
