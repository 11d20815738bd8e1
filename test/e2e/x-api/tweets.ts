import { ann, ask, bad, bob, cyd, good, TWEETS, tweetBy, UNKNOWN } from "./walk.ts";

describe("tweets", () => {
  it("are written, shown and deleted", async () => {
    const id = await tweetBy(ann, { text: "hello @bob #world $CASH https://example.org" });
    const { data } = await good(bob, "GET", `/2/tweets/${id}?${TWEETS}`);
    expect(data).toMatchObject({
      author_id: ann.id,
      reply_settings: "everyone",
      possibly_sensitive: false,
      display_text_range: [0, 43],
      edit_controls: { is_edit_eligible: false, edits_remaining: 0, editable_until: data.created_at },
    });
    expect(await good(bob, "GET", `/2/tweets?ids=${id},${UNKNOWN}`)).toMatchObject({
      data: [{ id }],
      errors: [{ resource_type: "tweet", parameter: "ids", value: UNKNOWN }],
    });
    await bad(bob, "DELETE", `/2/tweets/${id}`, 403);
    await good(ann, "DELETE", `/2/tweets/${id}`);
    await bad(ann, "DELETE", `/2/tweets/${id}`, 404);
    await bad(ann, "GET", `/2/tweets/${id}`, 404);
    await bad(ann, "GET", "/2/tweets", 400);
    expect(await bad(ann, "POST", "/2/tweets", 400, { text: "" })).toEqual(["text"]);
  });

  it("bring along what they name, each once, and tell what is missing", async () => {
    const first = await tweetBy(bob, { text: "first" });
    const gone = await tweetBy(bob, { text: "gone" });
    const reply = await tweetBy(ann, { text: "@cyd @nosuchuser", reply: { in_reply_to_tweet_id: first } });
    const quote = await tweetBy(ann, { text: "see", quote_tweet_id: first });
    const orphan = await tweetBy(ann, { text: "lost", quote_tweet_id: gone });
    await good(bob, "DELETE", `/2/tweets/${gone}`);
    const all = await good(cyd, "GET", `/2/tweets?ids=${reply},${quote},${orphan}&${TWEETS}`);
    const idsOf = (list: { id: string }[]) => list.map(({ id }) => id).sort();
    expect(idsOf(all.includes.users)).toEqual([ann.id, bob.id, cyd.id].sort());
    expect(idsOf(all.includes.tweets)).toEqual([first, reply, quote, orphan].sort());
    expect(all.errors).toEqual([
      expect.objectContaining({ parameter: "entities.mentions.username", value: "nosuchuser" }),
      expect.objectContaining({ parameter: "referenced_tweets.id", value: gone, resource_type: "tweet" }),
    ]);
    const referring = await good(cyd, "GET", `/2/tweets/${reply}?expansions=in_reply_to_user_id`);
    expect(referring).toMatchObject({
      data: { in_reply_to_user_id: bob.id },
      includes: { users: [{ id: bob.id }] },
    });
  });

  it("withhold what stands behind a block", async () => {
    const theirs = await tweetBy(cyd, { text: "mine" });
    const quote = await tweetBy(ann, { text: "look", quote_tweet_id: theirs });
    await good(cyd, "POST", `/2/users/${cyd.id}/blocking`, { target_user_id: bob.id });
    for (const path of [`/2/tweets/${quote}?`, `/2/users/${ann.id}/tweets?max_results=5&`]) {
      const seenByBob = await good(bob, "GET", `${path}expansions=referenced_tweets.id`);
      const ids = (seenByBob.includes?.tweets ?? []).map(({ id }: { id: string }) => id);
      expect(ids).not.toContain(theirs);
      expect(seenByBob.errors).toContainEqual(
        expect.objectContaining({
          type: "https://api.twitter.com/2/problems/not-authorized-for-resource",
          resource_id: theirs,
        }),
      );
    }
    await good(cyd, "DELETE", `/2/users/${cyd.id}/blocking/${bob.id}`);
  });

  it("take what X takes, and refuse by name what there is not here", async () => {
    const parent = await tweetBy(bob, { text: "parent" });
    const reply = {
      in_reply_to_tweet_id: parent,
      auto_populate_reply_metadata: true,
      exclude_reply_user_ids: [cyd.id],
    };
    await tweetBy(ann, {
      text: "all that is harmless",
      reply,
      nullcast: false,
      for_super_followers_only: false,
    });
    for (const [name, value] of Object.entries({
      media: { media_ids: ["1"] },
      poll: { options: ["a", "b"], duration_minutes: 5 },
      geo: { place_id: "x" },
      card_uri: "card://1",
      community_id: "1",
      direct_message_deep_link: "https://example.org",
      edit_options: { previous_post_id: parent },
      for_super_followers_only: true,
      nullcast: true,
    })) {
      const answer = await ask(ann, "POST", "/2/tweets", { text: "no", [name]: value });
      expect([name, answer.status]).toEqual([name, 400]);
      expect(answer.body.errors).toEqual([
        { message: expect.stringMatching(/^is not supported: /), parameters: { [name]: expect.anything() } },
      ]);
    }
    const wrong = { in_reply_to_tweet_id: parent, exclude_reply_user_ids: ["x"] };
    expect(await bad(ann, "POST", "/2/tweets", 400, { text: "no", reply: wrong })).toEqual([
      "reply.exclude_reply_user_ids",
    ]);
  });

  it("are replied to by whom their author lets", async () => {
    await good(ann, "POST", `/2/users/${ann.id}/following`, { target_user_id: bob.id });
    const replyTo = (id: string) => ({ text: "me too", reply: { in_reply_to_tweet_id: id } });
    const onlyFollowed = await tweetBy(ann, { text: "friends", reply_settings: "following" });
    const onlyNamed = await tweetBy(ann, { text: "just @cyd", reply_settings: "mentionedUsers" });
    const { data } = await good(bob, "GET", `/2/tweets/${onlyFollowed}?tweet.fields=reply_settings`);
    expect(data.reply_settings).toBe("following");
    const theirReply = await tweetBy(bob, replyTo(onlyFollowed));
    await tweetBy(cyd, replyTo(onlyNamed));
    await tweetBy(ann, replyTo(onlyNamed));
    // A conversation is its first author's: a reply in it is no way around.
    for (const id of [onlyFollowed, theirReply])
      expect(await bad(cyd, "POST", "/2/tweets", 403, replyTo(id))).toEqual(["in_reply_to_tweet_id"]);
    await bad(bob, "POST", "/2/tweets", 403, replyTo(onlyNamed));
    expect(await bad(ann, "POST", "/2/tweets", 400, { text: "x", reply_settings: "nobody" })).toEqual([
      "reply_settings",
    ]);
    await good(ann, "DELETE", `/2/users/${ann.id}/following/${bob.id}`);
  });
});
