import { describe as describeError } from "../../services/gateway/problem.ts";
import {
  faultInPosts,
  inPosts,
  maySpeakOfPosts,
  schemaInPosts,
  spokenIn,
} from "../../services/gateway/vocabulary.ts";

const spoken = (query: Record<string, string>) => {
  const { vocabulary, query: translated } = spokenIn(query);
  return { vocabulary, query: { ...translated } };
};

describe("a query", () => {
  it("in tweets, or in neither, is left as it is", () => {
    const queries: Record<string, string>[] = [
      {},
      { ids: "1,2", "user.fields": "created_at" },
      { "tweet.fields": "referenced_tweets", expansions: "referenced_tweets.id" },
    ];
    for (const query of queries) expect(spoken(query)).toEqual({ vocabulary: "tweet", query });
  });

  it("in posts is translated, name by name", () => {
    const query = {
      ids: "1",
      "post.fields": "text,edit_history_post_ids,note_post,article_title",
      "user.fields": "pinned_post_id,name",
      expansions: "referenced_posts,referenced_posts.id.author_id,author_id,username,affiliation",
    };
    expect(spoken(query)).toEqual({
      vocabulary: "post",
      query: {
        ids: "1",
        "tweet.fields": "text,edit_history_tweet_ids,note_tweet",
        "user.fields": "pinned_tweet_id,name",
        expansions: "referenced_tweets.id,referenced_tweets.id.author_id,author_id,affiliation.user_id",
      },
    });
  });

  it("is in posts by a single name that only they have", () => {
    expect(spoken({ expansions: "affiliation" })).toEqual({
      vocabulary: "post",
      query: { expansions: "affiliation.user_id" },
    });
    expect(spoken({ expansions: "author_id,username" })).toEqual({
      vocabulary: "post",
      query: { expansions: "author_id" },
    });
    expect(spoken({ expansions: "username" })).toEqual({ vocabulary: "post", query: {} });
  });

  it("in both is refused, by the parameters that mix them", () => {
    for (const query of [
      { "post.fields": "text", "tweet.fields": "text" },
      { "post.fields": "text", expansions: "referenced_tweets.id" },
      { expansions: "pinned_post_id,most_recent_tweet_id" },
      { expansions: "username,affiliation.user_id" },
    ])
      try {
        spokenIn(query);
        throw new Error("not refused");
      } catch (error) {
        const { problem } = describeError(error);
        expect(problem.status).toBe(400);
        expect(problem.errors?.flatMap(({ parameters }) => Object.keys(parameters)).sort()).toEqual(
          Object.keys(query).sort(),
        );
      }
  });

  it("is cheap to tell apart: whatever is in posts may speak of them", () => {
    for (const raw of [
      "post.fields=text",
      "expansions=referenced_posts",
      "p%6fst.fields=text",
      "expansions=username",
    ])
      expect(maySpeakOfPosts(raw)).toBe(true);
    expect(maySpeakOfPosts("tweet.fields=created_at%2Ctext&max_results=20")).toBe(false);
  });
});

describe("an answer in posts", () => {
  it("has their names, and what problems are about, and nothing else changed", () => {
    expect(
      inPosts({
        data: [
          { id: "1", text: "tweets", edit_history_tweet_ids: ["1"], public_metrics: { retweet_count: 1 } },
        ],
        includes: { tweets: [{ referenced_tweets: [{ type: "retweeted", id: "2" }] }] },
        errors: [{ parameter: "referenced_tweets.id", resource_type: "tweet" }],
      }),
    ).toEqual({
      data: [{ id: "1", text: "tweets", edit_history_post_ids: ["1"], public_metrics: { repost_count: 1 } }],
      includes: { posts: [{ referenced_posts: [{ type: "retweeted", id: "2" }] }] },
      errors: [{ parameter: "referenced_posts", resource_type: "tweet" }],
    });
  });

  it("names faults by the names that were sent", () => {
    const fault = {
      message: "must be one or more of text, note_tweet, separated by commas",
      parameters: { "tweet.fields": ["note_tweet,nope"] },
    };
    expect(faultInPosts(fault)).toEqual({
      message: "must be one or more of text, note_post, separated by commas",
      parameters: { "post.fields": ["note_post,nope"] },
    });
  });

  it("is described like the one in tweets", () => {
    const id = { type: "string" } as const;
    expect(
      schemaInPosts({
        title: "Tweet",
        properties: { pinned_tweet_id: id, id },
        required: ["pinned_tweet_id"],
      }),
    ).toEqual({ title: "Post", properties: { pinned_post_id: id, id }, required: ["pinned_post_id"] });
    const plain = { title: "Plain", properties: { id } };
    expect(schemaInPosts(plain)).toBe(plain);
  });
});
