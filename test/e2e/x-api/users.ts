import { Client } from "../../support/client.ts";
import { ann, bad, bob, cyd, good, tweetBy, UNKNOWN, USERS, url } from "./walk.ts";

describe("users", () => {
  it("are looked up by id and by name, with what is missing", async () => {
    for (const [list, one, missing] of [
      [`/2/users?ids=${ann.id},${bob.id}`, `/2/users/${bob.id}`, UNKNOWN],
      ["/2/users/by?usernames=ANN,bob", "/2/users/by/username/BOB", "nobody"],
    ]) {
      expect((await good(ann, "GET", `${one}?${USERS}`)).data.username).toBe("bob");
      expect((await good(ann, "GET", `${list}&${USERS}`)).data).toHaveLength(2);
      const partial = await good(ann, "GET", `${list},${missing}`);
      expect(partial.data).toHaveLength(2);
      expect(partial.errors).toEqual([expect.objectContaining({ value: missing, resource_type: "user" })]);
      const none = `${list?.split("=")[0]}=${missing}`;
      expect(await good(ann, "GET", none)).toEqual({ errors: [expect.objectContaining({ value: missing })] });
      await bad(ann, "GET", `${one}`.replace(/[^/]+$/, missing ?? ""), 404);
      expect(await bad(ann, "GET", `${list}&user.fields=shoe_size`, 400)).toEqual(["user.fields"]);
      await bad(undefined, "GET", `${one}`, 401);
    }
    await bad(ann, "GET", "/2/users?ids=x", 400);
  });

  it("show and change themselves, and pin a tweet of their own", async () => {
    const pinned = await tweetBy(ann, { text: "pin me" });
    const latest = await tweetBy(ann, { text: "my latest" });
    const change = { description: "says #hello to @bob", url: "https://example.org/ann", location: "Örebro" };
    await good(ann, "PUT", "/2/users/me", { ...change, pinned_tweet_id: pinned });
    const me = await good(bob, "GET", `/2/users/${ann.id}?${USERS}`);
    expect(me.data).toMatchObject({
      ...change,
      pinned_tweet_id: pinned,
      most_recent_tweet_id: latest,
      protected: false,
      verified: false,
      verified_type: "none",
      entities: {
        description: { hashtags: [{ tag: "hello", start: 5, end: 11 }], mentions: [{ username: "bob" }] },
        url: { urls: [{ url: "https://example.org/ann", start: 0 }] },
      },
    });
    expect(me.includes.tweets.map(({ id }: { id: string }) => id).sort()).toEqual([pinned, latest]);
    await good(ann, "GET", `/2/users/me?${USERS}`);
    expect((await good(ann, "PUT", "/2/users/me", { pinned_tweet_id: null })).data).not.toHaveProperty(
      "pinned_tweet_id",
    );
    const theirs = await tweetBy(bob, { text: "not yours" });
    expect(await bad(ann, "PUT", "/2/users/me", 403, { pinned_tweet_id: theirs })).toEqual([
      "pinned_tweet_id",
    ]);
    expect(await bad(ann, "PUT", "/2/users/me", 404, { pinned_tweet_id: UNKNOWN })).toEqual([
      "pinned_tweet_id",
    ]);
    await bad(undefined, "GET", "/2/users/me", 401);
  });

  it("may be called what every object has", async () => {
    for (const name of ["__proto__", "constructor", "toString"]) {
      await bad(ann, "GET", `/2/users/by/username/${name}`, 404);
      const nobody = await tweetBy(ann, { text: `@${name}` });
      const { errors } = await good(ann, "GET", `/2/tweets/${nobody}?expansions=entities.mentions.username`);
      expect(errors).toEqual([expect.objectContaining({ value: name })]);
      expect(await good(ann, "GET", `/2/tweets/search/recent?query=from:${name}`)).toMatchObject({
        meta: { result_count: 0 },
      });

      const named = await Client.signUp(url, name);
      expect((await good(ann, "GET", `/2/users/by?usernames=${name},bob`)).data).toHaveLength(2);
      const theirs = await tweetBy(named, { text: `I, @${name}` });
      expect(
        await good(ann, "GET", `/2/tweets/${theirs}?expansions=entities.mentions.username`),
      ).toMatchObject({ includes: { users: [{ id: named.id }] } });
      expect(await good(ann, "GET", `/2/tweets/search/recent?query=from:${name}`)).toMatchObject({
        data: [{ id: theirs }],
      });
    }
  });

  it("name a pinned tweet that was deleted among the errors", async () => {
    const pinned = await tweetBy(cyd, { text: "soon gone" });
    await good(cyd, "PUT", "/2/users/me", { pinned_tweet_id: pinned });
    await good(cyd, "DELETE", `/2/tweets/${pinned}`);
    expect(await good(ann, "GET", `/2/users/${cyd.id}?expansions=pinned_tweet_id`)).toMatchObject({
      data: { pinned_tweet_id: pinned },
      errors: [{ resource_type: "tweet", parameter: "pinned_tweet_id", value: pinned }],
    });
  });

  it.each(["following", "blocking", "muting"])("%s: make, list, undo", async (name) => {
    const path = `/2/users/${ann.id}/${name}`;
    await good(ann, "POST", path, { target_user_id: cyd.id });
    expect((await good(ann, "GET", `${path}?${USERS}&max_results=10`)).data).toHaveLength(1);
    if (name === "following") {
      const followers = await good(bob, "GET", `/2/users/${cyd.id}/followers?${USERS}`);
      expect(followers.meta.result_count).toBe(1);
      await bad(bob, "GET", `/2/users/${UNKNOWN}/followers`, 404);
    }
    await good(ann, "DELETE", `${path}/${cyd.id}`);
    expect(await good(ann, "GET", path)).toEqual({ meta: { result_count: 0 } });
    await bad(ann, "POST", path, 404, { target_user_id: UNKNOWN });
    await bad(ann, "POST", path, 400, { target_user_id: 5 });
    await bad(bob, "POST", path, 403, { target_user_id: cyd.id });
    await bad(bob, "DELETE", `${path}/${cyd.id}`, 403);
    await bad(ann, "GET", `${path}?pagination_token=%20`, 400);
  });
});
