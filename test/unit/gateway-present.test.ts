import type { Tweet } from "../../services/contracts/tweets.ts";
import type { PublicUser } from "../../services/contracts/users.ts";
import { shape } from "../../services/gateway/fields.ts";
import {
  timelineAnswer,
  tweetAnswer,
  tweetsAnswer,
  userAnswer,
  userPageAnswer,
  usersAnswer,
} from "../../services/gateway/present/answers.ts";
import { TWEET_VIEW } from "../../services/gateway/present/tweets.ts";
import { USER_VIEW } from "../../services/gateway/present/users.ts";

const user = (id: string): PublicUser => ({
  id,
  username: `User${id}`,
  name: `Name ${id}`,
  created_at: "2026-01-01T00:00:00.000Z",
  description: "d",
  protected: false,
  verified: false,
  public_metrics: { followers_count: 1, following_count: 2, tweet_count: 3, listed_count: 0 },
});
const tweet = (id: string, author_id = "1"): Tweet => ({
  id,
  author_id,
  text: `text ${id}`,
  created_at: "2026-01-01T00:00:00.000Z",
  conversation_id: id,
  lang: "en",
});
const views = shape(TWEET_VIEW);
const userViews = shape(USER_VIEW);
const userView = (query: Record<string, string> = {}) => userViews.parse({ ...query });
const view = (query: Record<string, string> = {}) => views.parse({ ...query });
/** As a client gets it. */
const sent = (answer: object) => JSON.parse(JSON.stringify(answer));

describe("users", () => {
  it("show the default fields only", () => {
    const { data } = userAnswer({ users: [user("1")] }, "id", "1", userView());
    expect(data).toEqual({ id: "1", name: "Name 1", username: "User1" });
  });

  it("show what was asked for, and nothing that is not kept", () => {
    const { data } = userAnswer(
      { users: [user("1")] },
      "id",
      "1",
      userView({ "user.fields": "location,protected,withheld" }),
    );
    expect(data).toEqual({ id: "1", name: "Name 1", username: "User1", protected: false });
  });

  it("tell what is missing beside what is there, by name whatever its case", () => {
    const answer = usersAnswer({ users: [user("1")] }, "usernames", ["uSER1", "nobody"], userView());
    expect(answer.data).toHaveLength(1);
    expect(answer.errors).toEqual([
      {
        value: "nobody",
        detail: "Could not find user with usernames: [nobody].",
        title: "Not Found Error",
        resource_type: "user",
        parameter: "usernames",
        resource_id: "nobody",
        type: "https://api.twitter.com/2/problems/resource-not-found",
      },
    ]);
  });

  it("leave out data where nothing is there", () => {
    expect(Object.keys(sent(usersAnswer({ users: [] }, "ids", ["1"], userView())))).toEqual(["errors"]);
    expect(sent(userPageAnswer({ users: [] }, userView()))).toEqual({ meta: { result_count: 0 } });
  });

  it("are a 404 where the one is missing", () => {
    expect(() => userAnswer({ users: [] }, "id", "5", userView())).toThrow(
      "Could not find user with id: [5].",
    );
  });
});

describe("tweets", () => {
  it("show the default fields only", () => {
    expect(sent(tweetAnswer({ tweets: [tweet("9")], users: [] }, "9", view()))).toEqual({
      data: { id: "9", text: "text 9", edit_history_tweet_ids: ["9"] },
    });
  });

  it("bring their authors along with an expansion", () => {
    const asked = view({
      expansions: "author_id",
      "user.fields": "public_metrics",
      "tweet.fields": "created_at",
    });
    expect(sent(tweetsAnswer({ tweets: [tweet("9")], users: [user("1")] }, ["9", "8"], asked))).toEqual({
      data: [
        {
          id: "9",
          text: "text 9",
          created_at: "2026-01-01T00:00:00.000Z",
          author_id: "1",
          edit_history_tweet_ids: ["9"],
        },
      ],
      includes: {
        users: [{ id: "1", name: "Name 1", username: "User1", public_metrics: user("1").public_metrics }],
      },
      errors: [expect.objectContaining({ resource_type: "tweet", resource_id: "8", parameter: "ids" })],
    });
  });
});

describe("timelines", () => {
  it("count, and give the tokens of the pages around", () => {
    const page = { tweets: [tweet("9"), tweet("7")], users: [], next_cursor: "b7", previous_cursor: "a9" };
    expect(sent(timelineAnswer(page, view())).meta).toEqual({
      result_count: 2,
      newest_id: "9",
      oldest_id: "7",
      next_token: "b7",
      previous_token: "a9",
    });
  });

  it("have no data where they are empty", () => {
    expect(sent(timelineAnswer({ tweets: [], users: [] }, view({ expansions: "author_id" })))).toEqual({
      meta: { result_count: 0 },
    });
  });
});
