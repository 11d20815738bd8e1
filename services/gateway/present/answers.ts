import type { ResultOf } from "../../contracts/actions.ts";
import type { PublicTweet, TimelinePage } from "../../contracts/tweets.ts";
import type { Id, PublicUser } from "../../contracts/users.ts";
import { notFound, notFoundProblem, type ResourceType } from "../problem.ts";
import type { TypeOf } from "../schema.ts";
import { type Beside, beside, includesOf } from "./includes.ts";
import type {
  COUNTS_ANSWER,
  Problem,
  TIMELINE_ANSWER,
  TWEET_ANSWER,
  TWEETS_ANSWER,
  USER_ANSWER,
  USER_PAGE_ANSWER,
  USERS_ANSWER,
} from "./objects.ts";
import { presentTweet } from "./tweet-fields.ts";
import type { TweetsFound, TweetView } from "./tweets.ts";
import { presentUser, tweetsNamedBy, type UserView } from "./users.ts";

// What is undefined in an answer is absent from the JSON.

/** Users, and the tweets that they name in the ways that are expanded. */
export interface UsersFound {
  users: readonly PublicUser[];
  tweets?: readonly PublicTweet[];
}

interface Wanted {
  resource: ResourceType;
  /** The parameter that named them, as it was called. */
  parameter: string;
  values: readonly string[];
  isFound(value: string): boolean;
}

/** The X API's partial success: what is there as `data`, what is not as `errors`. */
function missing({ resource, parameter, values, isFound }: Wanted): Problem[] {
  const absent = values.filter((value) => !isFound(value));
  return absent.map((value) => notFoundProblem(resource, parameter, value));
}

const orAbsent = <T>(list: T[]): T[] | undefined => (list.length > 0 ? list : undefined);

function tweetsOf({ tweets }: TweetsFound, view: TweetView) {
  return tweets.map((tweet) => presentTweet(tweet, view["tweet.fields"], view.expansions.keys));
}

/** What the expansions of a view add to some users. */
function besideUsers({ users, tweets = [] }: UsersFound, view: UserView): Beside {
  const named = [...tweetsNamedBy(users, view.expansions)];
  const found = new Set(tweets.map(({ id }) => id));
  const absent = named.filter(([id]) => !found.has(id));
  return beside(
    tweets,
    [],
    { "tweet.fields": view["tweet.fields"], "user.fields": view["user.fields"] },
    absent.map(([id, expansion]) => notFoundProblem("tweet", expansion, id)),
  );
}

/** Several users, asked for by id or by name. */
export function usersAnswer(
  found: UsersFound,
  by: "ids" | "usernames",
  values: readonly string[],
  view: UserView,
): TypeOf<typeof USERS_ANSWER> {
  const { users } = found;
  const keys = new Set(users.map((user) => (by === "ids" ? user.id : user.username.toLowerCase())));
  const isFound = (value: string) => keys.has(value.toLowerCase());
  const { includes, errors = [] } = besideUsers(found, view);
  return {
    data: orAbsent(users.map((user) => presentUser(user, view["user.fields"], view.expansions))),
    includes,
    errors: orAbsent([...missing({ resource: "user", parameter: by, values, isFound }), ...errors]),
  };
}

/** One user. Throws 404 where there is none. */
export function userAnswer(
  found: UsersFound,
  parameter: string,
  value: string,
  view: UserView,
): TypeOf<typeof USER_ANSWER> {
  const [user] = found.users;
  if (!user) throw notFound("user", parameter, value);
  return { data: presentUser(user, view["user.fields"], view.expansions), ...besideUsers(found, view) };
}

/** A page of users. */
export function userPageAnswer(
  page: UsersFound & { next_cursor?: string; previous_cursor?: string },
  view: UserView,
): TypeOf<typeof USER_PAGE_ANSWER> {
  const { users, next_cursor: next_token, previous_cursor: previous_token } = page;
  return {
    data: orAbsent(users.map((user) => presentUser(user, view["user.fields"], view.expansions))),
    ...besideUsers(page, view),
    meta: { result_count: users.length, next_token, previous_token },
  };
}

/** Several tweets, asked for by id. */
export function tweetsAnswer(
  found: TweetsFound,
  ids: readonly Id[],
  view: TweetView,
): TypeOf<typeof TWEETS_ANSWER> {
  const there = new Set(found.tweets.map((tweet) => tweet.id));
  const absent = missing({
    resource: "tweet",
    parameter: "ids",
    values: ids,
    isFound: (id) => there.has(id),
  });
  const { includes, errors = [] } = includesOf(found, view);
  return {
    data: orAbsent(tweetsOf(found, view)),
    includes,
    errors: orAbsent([...absent, ...errors]),
  };
}

/** One tweet. Throws 404 where there is none. */
export function tweetAnswer(found: TweetsFound, id: Id, view: TweetView): TypeOf<typeof TWEET_ANSWER> {
  const [data] = tweetsOf(found, view);
  if (!data) throw notFound("tweet", "id", id);
  return { data, ...includesOf(found, view) };
}

/** How many tweets there are, in their order in time. */
export function countsAnswer({ counts, total }: ResultOf<"tweet.counts">): TypeOf<typeof COUNTS_ANSWER> {
  return { data: orAbsent(counts), meta: { total_tweet_count: total } };
}

/** A page of a timeline, newest first. */
export function timelineAnswer(page: TimelinePage, view: TweetView): TypeOf<typeof TIMELINE_ANSWER> {
  const { tweets, next_cursor: next_token, previous_cursor: previous_token } = page;
  return {
    data: orAbsent(tweetsOf(page, view)),
    ...includesOf(page, view),
    meta: {
      result_count: tweets.length,
      newest_id: tweets[0]?.id,
      oldest_id: tweets.at(-1)?.id,
      next_token,
      previous_token,
    },
  };
}
