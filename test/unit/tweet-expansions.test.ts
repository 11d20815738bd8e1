import type { ReplySettings, Tweet, TweetExpansion } from "../../services/contracts/tweets.ts";
import { usersNamedBy } from "../../services/tweet/expansions.ts";
import { mayReply } from "../../services/tweet/reply-settings.ts";

const tweet = (more: Partial<Tweet> = {}): Tweet => ({
  id: "1",
  author_id: "10",
  text: "x",
  created_at: "2026-01-01T00:00:00.000Z",
  conversation_id: "1",
  lang: "en",
  ...more,
});
const reply = tweet({
  referenced_tweets: [{ type: "replied_to", id: "2", author_id: "20" }],
  entities: {
    mentions: [
      { start: 0, end: 1, username: "a", id: "30" },
      { start: 2, end: 3, username: "nobody" },
    ],
  },
});
const parent = tweet({ id: "2", author_id: "20" });

describe("the users that tweets name", () => {
  it.each<[TweetExpansion[], string[]]>([
    [[], []],
    [["author_id"], ["10"]],
    [["in_reply_to_user_id"], ["20"]],
    [["entities.mentions.username"], ["30"]],
    [["referenced_tweets.id"], []],
    [["referenced_tweets.id.author_id"], ["20"]],
    [
      ["author_id", "in_reply_to_user_id", "referenced_tweets.id.author_id"],
      ["10", "20"],
    ],
  ])("by %j are %j, each once", (expand, named) => {
    expect(usersNamedBy([reply, reply], [parent], new Set(expand))).toEqual(named);
  });
});

describe("who may reply", () => {
  const to = (reply_settings?: ReplySettings) => tweet({ reply_settings, entities: reply.entities });

  it("is everyone where nothing is set", () => expect(mayReply("99", to(), false)).toBe(true));

  it.each<ReplySettings>(["following", "mentionedUsers", "subscribers", "verified"])(
    "is always the author and whoever is mentioned: %s",
    (settings) => {
      expect(mayReply("10", to(settings), false)).toBe(true);
      expect(mayReply("30", to(settings), false)).toBe(true);
      expect(mayReply("99", to(settings), false)).toBe(false);
    },
  );

  it("is whom the author follows, only where that is set", () => {
    expect(mayReply("99", to("following"), true)).toBe(true);
    expect(mayReply("99", to("mentionedUsers"), true)).toBe(false);
  });
});
