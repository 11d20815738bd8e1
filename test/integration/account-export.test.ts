import { request } from "node:http";
import { bucketOfHandle } from "../../mixins/shard-db/ids.ts";
import { sql } from "../../mixins/shard-db/index.ts";
import { gatewayPort } from "../../services/gateway/gateway.service.ts";
import { Client } from "../support/client.ts";
import { eventually, Roost } from "../support/roost.ts";

let roost: Roost;
let url: string;
beforeAll(async () => {
  roost = await Roost.start({ services: ["user", "graph", "tweet", "timeline", "gateway"] });
  url = `http://127.0.0.1:${gatewayPort(roost.broker)}`;
});
afterAll(() => roost.stop());

/** So many more tweets, straight to the table. */
async function tweets({ id, username }: Client, count: number, text: string): Promise<void> {
  await roost.resources.db.write(
    { id },
    sql`INSERT INTO tweets (id, author_id, text)
        SELECT next_id(${bucketOfHandle(username)}), ${id}, ${text} FROM generate_series(1, ${count}::int)`,
  );
}

describe("an export", () => {
  it("holds all that is stored about somebody, and nothing of what others decided or of secrets", async () => {
    const [ann, bob] = [await Client.signUp(url, "ann"), await Client.signUp(url, "bob")];
    const id = await ann.tweet("hello @bob");
    const his = await bob.tweet("hello @ann");
    await ann.follow(bob);
    await bob.follow(ann);
    await ann.request("POST", `/2/users/${ann.id}/likes`, { tweet_id: his });
    await ann.request("POST", `/2/users/${ann.id}/bookmarks`, { tweet_id: his });
    await ann.request("PUT", "/2/users/me", { description: "about me" });
    await bob.request("POST", `/2/users/${bob.id}/muting`, { target_user_id: ann.id });
    await ann.request("POST", "/auth/apps", {
      name: "Mine",
      redirect_uris: ["https://a.example"],
      type: "public",
    });
    await ann.request("POST", "/2/tweets/search/stream/rules", { add: [{ value: "cats", tag: "mine" }] });
    const { status, body, headers } = await ann.request("GET", "/auth/export");
    expect(status).toBe(200);
    expect(headers.get("content-disposition")).toContain("attachment");
    const since = expect.any(String);
    expect(body).toMatchObject({
      account: { id: ann.id, username: "ann", description: "about me" },
      sessions: [{ current: true }],
      apps: [{ name: "Mine" }],
      tweets: [{ id, text: "hello @bob" }],
      following: [{ user_id: bob.id, since }],
      followers: [{ user_id: bob.id, since }],
      blocking: [],
      muting: [],
      likes: [{ tweet_id: his, since }],
      bookmarks: [{ tweet_id: his, since }],
      mentions: [{ tweet_id: his, since }],
      stream_rules: [{ value: "cats", tag: "mine" }],
      counters: { tweets: 1, following: 1, followers: 1 },
    });
    expect(JSON.stringify(body)).not.toMatch(/argon2|_hash|ra_[0-9a-f]{3}_/);
  });

  it("holds a retweet, which has another's words, only as long as the original is there", async () => {
    const [eve, fay] = [await Client.signUp(url, "eve"), await Client.signUp(url, "fay")];
    const id = await eve.tweet("words of eve");
    await fay.request("POST", `/2/users/${fay.id}/retweets`, { tweet_id: id });
    const exported = async () => JSON.stringify((await fay.request("GET", "/auth/export")).body);
    expect(await exported()).toContain("words of eve");
    await eve.request("DELETE", `/2/tweets/${id}`);
    expect(await exported()).not.toContain("words of eve");
  });

  it("goes over any number of pages", async () => {
    const cyd = await Client.signUp(url, "cyd");
    await tweets(cyd, 1_203, "one of many");
    const { body } = await cyd.request("GET", "/auth/export");
    const { tweets: all } = body as { tweets?: { id: string }[] };
    expect(new Set(all?.map(({ id }) => id)).size).toBe(1_203);
  });

  it("waits for a client that does not read, instead of gathering what it has read itself", async () => {
    const dan = await Client.signUp(url, "dan");
    await tweets(dan, 40_000, "x".repeat(250));
    const pages = jest.spyOn(roost.resources.db, "read");
    const asked = request(`${url}/auth/export`, { headers: { authorization: `Bearer ${dan.token}` } });
    await new Promise<void>((resolve) => {
      asked.once("response", (answer) => {
        answer.pause();
        resolve();
      });
      asked.end();
    });
    let seen = -1;
    await eventually(async () => {
      const before = seen;
      seen = pages.mock.calls.length;
      await new Promise((resolve) => setTimeout(resolve, 300));
      return seen === before;
    }, "it comes to rest");
    expect(seen).toBeLessThan(80);
    asked.destroy();
    pages.mockRestore();
  });
});
