import { ann, bad, bob, cyd, good, TWEETS, tweetBy, UNKNOWN, USERS } from "./walk.ts";

describe("engagement", () => {
  it.each([
    ["likes", "tweet_id"],
    ["bookmarks", "tweet_id"],
    ["retweets", "source_tweet_id"],
  ])("%s: make and undo", async (name) => {
    const id = await tweetBy(bob, { text: `for ${name}` });
    const path = `/2/users/${ann.id}/${name}`;
    await good(ann, "POST", path, { tweet_id: id });
    await bad(ann, "POST", path, 404, { tweet_id: UNKNOWN });
    await bad(ann, "POST", path, 400, {});
    await good(ann, "DELETE", `${path}/${id}`);
    await bad(bob, "DELETE", `${path}/${id}`, 403);
  });

  it("is listed, a page at a time, both ways", async () => {
    const id = await tweetBy(bob, { text: "famous" });
    for (const who of [ann, cyd]) {
      for (const name of ["likes", "bookmarks", "retweets"])
        await good(who, "POST", `/2/users/${who.id}/${name}`, { tweet_id: id });
      await tweetBy(who, { text: "look", quote_tweet_id: id });
    }
    for (const [list, view] of [
      [`/2/tweets/${id}/liking_users`, USERS],
      [`/2/tweets/${id}/retweeted_by`, USERS],
      [`/2/tweets/${id}/quote_tweets`, TWEETS],
      [`/2/tweets/${id}/retweets`, TWEETS],
    ]) {
      const { meta } = await good(bob, "GET", `${list}?${view}`);
      expect([list, meta.result_count]).toEqual([list, 2]);
      await bad(bob, "GET", `${list}?max_results=0`, 400);
      await bad(bob, "GET", `${list?.replace(id, UNKNOWN)}`, 404);
    }
    const first = await good(bob, "GET", `/2/tweets/${id}/retweets?max_results=1`);
    expect(first.meta).toMatchObject({ result_count: 1, next_token: expect.any(String) });
    const second = await good(
      bob,
      "GET",
      `/2/tweets/${id}/retweets?max_results=1&pagination_token=${first.meta.next_token}`,
    );
    expect(second.meta.previous_token).toEqual(expect.any(String));
    expect(second.data[0].id).not.toBe(first.data[0].id);
    const none = await good(bob, "GET", `/2/tweets/${id}/quote_tweets?exclude=retweets,replies`);
    expect(none.meta.result_count).toBe(2);
    expect((await good(ann, "GET", `/2/users/${ann.id}/bookmarks?${TWEETS}`)).data).toHaveLength(1);
    await bad(bob, "GET", `/2/users/${ann.id}/bookmarks`, 403);
    expect((await good(bob, "GET", `/2/users/${ann.id}/liked_tweets?${TWEETS}`)).data).toHaveLength(1);
    await bad(bob, "GET", `/2/users/${UNKNOWN}/liked_tweets`, 404);
  });
});

describe("timelines", () => {
  it.each(["timelines/reverse_chronological", "tweets", "mentions"])("%s", async (name) => {
    await tweetBy(bob, { text: "note to @bob" });
    const path = `/2/users/${bob.id}/${name}`;
    const whole = await good(bob, "GET", `${path}?${TWEETS}&max_results=100`);
    expect(whole.meta).toMatchObject({
      result_count: whole.data.length,
      newest_id: whole.data[0].id,
      oldest_id: whole.data.at(-1).id,
    });
    const { newest_id } = whole.meta;
    expect(await good(bob, "GET", `${path}?since_id=${newest_id}`)).toEqual({ meta: { result_count: 0 } });
    await good(bob, "GET", `${path}?start_time=2020-01-01T00:00:00Z&end_time=2021-01-01T00:00:00Z`);
    expect(await bad(bob, "GET", `${path}?start_time=yesterday`, 400)).toEqual(["start_time"]);
    await bad(bob, "GET", `${path}?max_results=101`, 400);
    await bad(undefined, "GET", path, 401);
  });
});

it("what was asked for in posts is answered in posts", async () => {
  const first = await tweetBy(ann, { text: "an early one" });
  const quote = await tweetBy(bob, { text: "quoted", quote_tweet_id: first });
  const path = `/2/tweets/${quote}?post.fields=public_metrics&expansions=referenced_posts,edit_history_post_ids`;
  const { data, includes } = await good(cyd, "GET", path);
  expect(data).toMatchObject({
    edit_history_post_ids: [quote],
    referenced_posts: [{ type: "quoted", id: first }],
    public_metrics: { repost_count: 0 },
  });
  expect(includes.posts).toHaveLength(2);
  expect(await bad(cyd, "GET", `${path}&tweet.fields=text`, 400)).toContain("tweet.fields");
  expect(await bad(cyd, "GET", `/2/tweets/${quote}?post.fields=shoe_size`, 400)).toEqual(["post.fields"]);
  await good(bob, "PUT", "/2/users/me", { pinned_tweet_id: quote });
  const user = await good(
    cyd,
    "GET",
    `/2/users/${bob.id}?expansions=pinned_post_id&user.fields=public_metrics`,
  );
  expect(user).toMatchObject({
    data: { pinned_post_id: quote, public_metrics: { post_count: expect.any(Number) } },
    includes: { posts: [{ id: quote, edit_history_post_ids: [quote] }] },
  });
  for (const answer of [data, includes, user])
    expect(JSON.stringify(answer)).not.toMatch(/"[a-z_]*tweet[a-z_]*":/);
});

it("search finds and counts", async () => {
  const id = await tweetBy(ann, { text: "something about cormorants" });
  const found = await good(bob, "GET", `/2/tweets/search/recent?query=cormorants&${TWEETS}`);
  expect(found).toMatchObject({ data: [{ id, lang: expect.any(String) }], meta: { result_count: 1 } });
  const counts = await good(bob, "GET", "/2/tweets/counts/recent?query=cormorants&granularity=day");
  expect(counts.meta).toEqual({ total_tweet_count: 1 });
  for (const path of ["/2/tweets/search/recent", "/2/tweets/counts/recent"])
    expect(await bad(bob, "GET", `${path}?query=((`, 400)).toEqual(["query"]);
});
