import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Answer, Client } from "../support/client.ts";
import { eventually, Roost } from "../support/roost.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";

describe("answers that are gathered from all shards, one of which is away", () => {
  let roost: Roost;
  let proxy: TcpProxy;
  let here: Client;
  let there: Client;
  let hereTweet: string;
  let thereTweet: string;
  const folder = mkdtempSync(join(tmpdir(), "roost-proxy-"));

  beforeAll(async () => {
    roost = await Roost.start({ shards: 2 });
    const [s0, s1] = roost.shards.topology.shards;
    if (!s0 || !s1) throw new Error("two shards");
    proxy = await TcpProxy.to(s1.primary);
    const file = join(folder, "topology.json");
    writeFileSync(file, JSON.stringify({ shards: [s0, { ...s1, primary: proxy.url }] }));
    const services = "user,graph,tweet,timeline,gateway";
    const { port } = await roost.addNode({ TOPOLOGY_FILE: file, SERVICES: services });
    const url = `http://127.0.0.1:${port}`;
    const run = Date.now().toString(36);
    const names = Array.from({ length: 20 }, (_, i) => `w${i}_${run}`);
    const on = (shard: string) =>
      names.find((handle) => roost.resources.db.shardOf({ handle }) === shard) ?? "";
    here = await Client.signUp(url, on("s0"));
    there = await Client.signUp(url, on("s1"));
    hereTweet = await here.tweet(`pomegranate ${run}`);
    thereTweet = await there.tweet(`pomegranate ${run}`);
    await here.follow(there);
    await there.follow(here);
    await roost.settle();
  });
  afterEach(async () => {
    proxy.open();
    await eventually(
      async () => (await here.request("GET", `/2/tweets/${thereTweet}`)).status === 200,
      "back",
    );
  });
  afterAll(async () => {
    proxy.open();
    await roost.stop();
    await proxy.close();
    rmSync(folder, { recursive: true });
  });

  const idsOf = ({ body }: Answer) => ((body.data ?? []) as { id: string }[]).map(({ id }) => id);
  const missing = [expect.objectContaining({ status: 503, detail: expect.stringContaining("shard s1") })];
  const search = "/2/tweets/search/recent?query=pomegranate";
  const both = () => `/2/tweets?ids=${hereTweet},${thereTweet}&tweet.fields=public_metrics`;

  describe.each([
    ["cannot be reached", () => proxy.cut()],
    ["hangs", () => proxy.swallow()],
  ])("because it %s", (_, away) => {
    beforeEach(async () => {
      await roost.emptyRedis();
      away();
      await eventually(
        async () => (await here.request("GET", `/2/tweets/${thereTweet}`)).status === 503,
        "the shard away",
      );
    });

    it("name the shard, and have what the others hold", async () => {
      for (const path of [both(), search]) {
        const answer = await here.request("GET", path);
        expect([answer.status, idsOf(answer)]).toEqual([200, [hereTweet]]);
        expect(answer.body.errors).toEqual(missing);
      }
      const users = await here.request(
        "GET",
        `/2/users?ids=${here.id},${there.id}&user.fields=public_metrics`,
      );
      expect([idsOf(users), users.body.errors]).toEqual([[here.id], missing]);
      const names = await here.request("GET", `/2/users/by?usernames=${here.username},${there.username}`);
      expect([idsOf(names), names.body.errors]).toEqual([[here.id], missing]);
      const counts = await here.request("GET", "/2/tweets/counts/recent?query=pomegranate");
      expect([counts.status, counts.body.errors]).toEqual([200, missing]);
    });

    it("are a 503 where they would have nothing but that, and do not take anything for deleted", async () => {
      for (const path of [
        `/2/tweets/${thereTweet}`,
        `/2/users/${there.id}`,
        `/2/users/${there.id}/followers`,
      ]) {
        const answer = await here.request("GET", path);
        expect(answer).toMatchObject({ status: 503, body: { detail: expect.stringContaining("shard s1") } });
        expect(answer.headers.get("retry-after")).toBeTruthy();
      }
      proxy.open();
      await eventually(
        async () => (await here.request("GET", both())).body.errors === undefined,
        "both again",
      );
      expect(idsOf(await here.request("GET", both()))).toEqual([hereTweet, thereTweet]);
      expect(idsOf(await here.request("GET", search)).sort()).toEqual([hereTweet, thereTweet].sort());
      expect(await here.homeIds()).toEqual(await roost.oracle.homeOf(here.id));
    });

    it("do not stand in the way of what needs only the other shard", async () => {
      const asked = await Promise.all(
        Array.from({ length: 60 }, (_, n) =>
          n % 2
            ? here.tweet(`meanwhile ${n}`).then(() => "served")
            : here.request("GET", `/2/users/${there.id}`).then(({ status }) => status),
        ),
      );
      expect(asked.filter((_, n) => n % 2 === 1)).toEqual(new Array(30).fill("served"));
      expect(new Set(asked.filter((_, n) => n % 2 === 0))).toEqual(new Set([503]));
    });
  });
});
