import { Redis } from "ioredis";
import { Client } from "../support/client.ts";
import { Cluster } from "../support/cluster.ts";
import { eventually, Roost } from "../support/roost.ts";
import { type OwnStack, ownStack } from "../support/servers.ts";

describe("Redis going away and coming back", () => {
  let stack: OwnStack;
  let roost: Roost;
  let cluster: Cluster;
  let people: Client[];
  beforeAll(async () => {
    stack = await ownStack({ topology: "single", nats: false });
    roost = await Roost.start({ shards: 2, services: [], redisUrl: stack.redisUrl });
    cluster = await Cluster.start(roost.env);
    people = await Promise.all(
      ["ann", "ben", "cat", "dan"].map((name) => Client.signUp(cluster.url, `${name}_${process.pid}`)),
    );
    for (const who of people) for (const whom of people) if (who !== whom) await who.follow(whom);
  });
  afterAll(async () => {
    await cluster.stop();
    await roost.stop();
    await stack.destroy();
  });

  const redis = () => {
    const server = stack.servers.find(({ name }) => name.startsWith("redis"));
    if (!server) throw new Error("no Redis");
    return server;
  };
  /** Everyone writes and reads, follows and unfollows; every answer must be a success and true. */
  const live = async (rounds: number) => {
    for (let round = 0; round < rounds; round++) {
      await Promise.all(
        people.map(async (who, i) => {
          const id = await who.tweet(`round ${round} of ${who.username}`);
          expect(await who.homeIds()).toContain(id);
          const whom = people[(i + 1) % people.length] as Client;
          const { status } = await who.request("DELETE", `/2/users/${who.id}/following/${whom.id}`);
          expect(status).toBe(200);
          const truth = await roost.oracle.homeOf(who.id);
          expect((await who.homeIds()).filter((shown) => !truth.includes(shown))).toEqual([]);
          expect((await who.follow(whom)).status).toBe(200);
        }),
      );
    }
  };
  const agree = async () => {
    await roost.settle();
    for (const who of people) expect(await who.homeIds(7)).toEqual(await roost.oracle.homeOf(who.id));
  };

  it("killed: reads and writes go on, and once it is back all timelines agree", async () => {
    await live(2);
    await redis().kill("SIGKILL");
    await live(4);
    await redis().restart();
    await live(4);
    await agree();
  });

  it("hanging: every request is answered in bounded time, and once it goes on all timelines agree", async () => {
    await live(1);
    await redis().kill("SIGSTOP");
    await live(2);
    await redis().kill("SIGCONT");
    await live(2);
    await agree();
  });

  it("emptied: the same timelines after the rebuild", async () => {
    await roost.settle();
    const before = await Promise.all(people.map((who) => who.homeIds()));
    await redis().kill("SIGKILL");
    await redis().restart();
    const raw = new Redis(stack.redisUrl ?? "");
    await eventually(async () => {
      await Promise.all(people.map((who) => who.homeIds()));
      return (await raw.keys("*:home:*")).length === people.length;
    }, "home lists in the new Redis");
    raw.disconnect();
    expect(await Promise.all(people.map((who) => who.homeIds()))).toEqual(before);
  });
});
