import type { Client } from "../../support/client.ts";
import { StreamReader } from "../../support/streams.ts";
import { expectDocumented } from "../../support/x-api.ts";
import { ann, bad, bob, good, noteSeen, TWEETS, tweetBy, url } from "./walk.ts";

describe("streams", () => {
  /** Every delivery is held against the documents. */
  async function streams(who: Client, path: string, whatItBrings: () => Promise<string>): Promise<void> {
    const stream = await StreamReader.open(url + path, who.token);
    await stream.has(await whatItBrings());
    stream.close();
    const type = stream.headers["content-type"];
    for (const { body } of stream.delivered) expectDocumented("GET", path, { status: 200, type, body });
    noteSeen("GET", path, 200);
  }

  it("have rules, and bring what matches them", async () => {
    const path = "/2/tweets/search/stream/rules";
    const added = await good(ann, "POST", path, {
      add: [{ value: "cormorants has:mentions", tag: "birds" }],
    });
    expect((await good(ann, "GET", path)).data).toMatchObject([{ id: added.data[0].id, tag: "birds" }]);
    await streams(ann, `/2/tweets/search/stream?${TWEETS}`, () => tweetBy(bob, { text: "@ann cormorants!" }));
    await good(ann, "POST", path, { delete: { ids: [added.data[0].id] } });
    await bad(ann, "POST", path, 400, {});
    await bad(ann, "GET", `${path}?ids=x`, 400);
    await bad(ann, "GET", "/2/tweets/search/stream?backfill_minutes=-1", 400);
  });

  it("bring a home timeline", async () => {
    const path = `/2/users/${bob.id}/timelines/reverse_chronological/stream`;
    await streams(bob, `${path}?${TWEETS}`, () => tweetBy(bob, { text: "to myself" }));
    await bad(ann, "GET", path, 403);
  });
});
