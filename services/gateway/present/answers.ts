import type { Id, PublicTweet, PublicUser, ResultOf, TimelinePage } from "../../contracts/actions.ts";
import { notFound, notFoundProblem, type ResourceType } from "../problem.ts";
import type { TypeOf } from "../schema.ts";
import type {
  COUNTS_ANSWER,
  TIMELINE_ANSWER,
  TWEET_ANSWER,
  TWEETS_ANSWER,
  USER_ANSWER,
  USER_PAGE_ANSWER,
  USERS_ANSWER,
} from "./objects.ts";
import { includedUsers, presentTweet, type TweetView } from "./tweets.ts";
import { presentUser, type UserSelection } from "./users.ts";

// What is undefined in an answer is absent from the JSON.

interface Wanted {
  resource: ResourceType;
  /** The parameter that named them, as it was called. */
  parameter: string;
  values: readonly string[];
  isFound(value: string): boolean;
}

/** The X API's partial success: what is there as `data`, what is not as `errors`. */
function missing({ resource, parameter, values, isFound }: Wanted) {
  const absent = values.filter((value) => !isFound(value));
  return absent.length > 0 ? absent.map((value) => notFoundProblem(resource, parameter, value)) : undefined;
}

const orAbsent = <T>(list: T[]): T[] | undefined => (list.length > 0 ? list : undefined);

/** Several users, asked for by id or by name. */
export function usersAnswer(
  users: readonly PublicUser[],
  by: "ids" | "usernames",
  values: readonly string[],
  selected: UserSelection,
): TypeOf<typeof USERS_ANSWER> {
  const keys = new Set(users.map((user) => (by === "ids" ? user.id : user.username.toLowerCase())));
  return {
    data: orAbsent(users.map((user) => presentUser(user, selected))),
    errors: missing({
      resource: "user",
      parameter: by,
      values,
      isFound: (value) => keys.has(value.toLowerCase()),
    }),
  };
}

/** One user. Throws 404 where there is none. */
export function userAnswer(
  [user]: readonly PublicUser[],
  parameter: string,
  value: string,
  selected: UserSelection,
): TypeOf<typeof USER_ANSWER> {
  if (!user) throw notFound("user", parameter, value);
  return { data: presentUser(user, selected) };
}

/** A page of users. */
export function userPageAnswer(
  page: { users: PublicUser[]; next_cursor?: string; previous_cursor?: string },
  selected: UserSelection,
): TypeOf<typeof USER_PAGE_ANSWER> {
  const { users, next_cursor: next_token, previous_cursor: previous_token } = page;
  return {
    data: orAbsent(users.map((user) => presentUser(user, selected))),
    meta: { result_count: users.length, next_token, previous_token },
  };
}

/** Several tweets, asked for by id. */
export function tweetsAnswer(
  { tweets, users }: { tweets: PublicTweet[]; users: PublicUser[] },
  ids: readonly Id[],
  view: TweetView,
): TypeOf<typeof TWEETS_ANSWER> {
  const found = new Set(tweets.map((tweet) => tweet.id));
  return {
    data: orAbsent(tweets.map((tweet) => presentTweet(tweet, view))),
    includes: includedUsers(users, view),
    errors: missing({ resource: "tweet", parameter: "ids", values: ids, isFound: (id) => found.has(id) }),
  };
}

/** One tweet. Throws 404 where there is none. */
export function tweetAnswer(
  { tweets, users }: { tweets: PublicTweet[]; users: PublicUser[] },
  id: Id,
  view: TweetView,
): TypeOf<typeof TWEET_ANSWER> {
  const [tweet] = tweets;
  if (!tweet) throw notFound("tweet", "id", id);
  return { data: presentTweet(tweet, view), includes: includedUsers(users, view) };
}

/** How many tweets there are, in their order in time. */
export function countsAnswer({ counts, total }: ResultOf<"tweet.counts">): TypeOf<typeof COUNTS_ANSWER> {
  return { data: orAbsent(counts), meta: { total_tweet_count: total } };
}

/** A page of a timeline, newest first. */
export function timelineAnswer(page: TimelinePage, view: TweetView): TypeOf<typeof TIMELINE_ANSWER> {
  const { tweets, users, next_cursor: next_token, previous_cursor: previous_token } = page;
  return {
    data: orAbsent(tweets.map((tweet) => presentTweet(tweet, view))),
    includes: includedUsers(users, view),
    meta: {
      result_count: tweets.length,
      newest_id: tweets[0]?.id,
      oldest_id: tweets.at(-1)?.id,
      next_token,
      previous_token,
    },
  };
}
