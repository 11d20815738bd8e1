import { limits } from "../../config/limits.ts";
import {
  EXCLUDABLE,
  type Excludable,
  type Id,
  type Session,
  type TimelineQuery,
} from "../contracts/actions.ts";
import { requireSelf } from "../contracts/context.ts";
import { READ_SCOPES } from "../contracts/scopes.ts";
import { DESCRIPTION, LOCATION, NAME, PASSWORD, URL_FIELD, USERNAME } from "../user/rules.ts";
import { edgeRoutes } from "./edge-routes.ts";
import { type Endpoint, forAnyone, forReader, forViewer } from "./endpoint.ts";
import { engagementRoutes } from "./engagement-routes.ts";
import {
  field,
  id,
  idempotencyKey,
  ids,
  optional,
  pageSize,
  paginationToken,
  part,
  shape,
  someOf,
  text,
  time,
  username,
  usernames,
} from "./fields.ts";
import { timelineAnswer, tweetAnswer, tweetsAnswer, userAnswer, usersAnswer } from "./present/answers.ts";
import {
  done,
  SESSION_ANSWER,
  TIMELINE_ANSWER,
  TWEET,
  TWEET_ANSWER,
  TWEETS_ANSWER,
  USER_ANSWER,
  USERS_ANSWER,
} from "./present/objects.ts";
import { extrasOf, presentTweet, TWEET_VIEW, type TweetView, tweetFields } from "./present/tweets.ts";
import { PROFILE, presentUser, userExpansions, userFields } from "./present/users.ts";
import { boolean, object, type TypeOf } from "./schema.ts";
import { searchRoutes } from "./search-routes.ts";

const WRITE_SCOPES = [...READ_SCOPES, "tweet.write"] as const;
const ONE = shape({ id });
const REPLY = part(shape({ in_reply_to_tweet_id: id }));
const USER_VIEW = { "user.fields": userFields, "tweet.fields": tweetFields, expansions: userExpansions };
const timeline = (page: { min: number; max: number; default: number }) =>
  shape({
    ...TWEET_VIEW,
    max_results: pageSize(page),
    pagination_token: paginationToken,
    since_id: optional(id),
    until_id: optional(id),
    start_time: optional(time),
    end_time: optional(time),
    exclude: optional(someOf(EXCLUDABLE)),
  });

/** Every endpoint under /auth and /2. */
export const endpoints: Endpoint[] = [
  forAnyone(
    {
      method: "POST",
      path: "auth/signup",
      tag: "Session",
      summary: "Sign up",
      rate: "signup",
      answer: SESSION_ANSWER,
      status: 201,
      body: shape({
        username: field<string>(USERNAME),
        name: field<string>(NAME),
        password: field<string>(PASSWORD),
      }),
    },
    async ({ ctx, body }) => sessionAnswer(await ctx.call("user.signup", body)),
  ),
  forAnyone(
    {
      method: "POST",
      path: "auth/login",
      tag: "Session",
      summary: "Log in",
      rate: "login",
      answer: SESSION_ANSWER,
      body: shape({ username, password: text }),
    },
    async ({ ctx, body }) => sessionAnswer(await ctx.call("user.login", body)),
  ),
  forAnyone(
    {
      method: "POST",
      path: "auth/refresh",
      tag: "Session",
      summary: "Get new tokens for a refresh token",
      rate: "login",
      answer: SESSION_ANSWER,
      body: shape({ refresh_token: text }),
    },
    async ({ ctx, body }) => sessionAnswer(await ctx.call("user.refresh", body)),
  ),
  forViewer(
    {
      method: "POST",
      path: "auth/logout",
      tag: "Session",
      summary: "End this session",
      rate: "write",
      answer: done(object({ revoked: boolean() })),
    },
    async ({ ctx }) => ({
      data: await ctx.call("user.logout", {}),
    }),
  ),

  forViewer(
    {
      method: "GET",
      path: "2/users/me",
      tag: "Users",
      summary: "The signed-in user",
      rate: "read",
      answer: USER_ANSWER,
      scopes: READ_SCOPES,
      query: shape(USER_VIEW),
    },
    async ({ ctx, viewer: { userId }, query: { "user.fields": selected } }) => {
      const users = await ctx.call("user.get", { ids: [userId], with_metrics: selected.metrics });
      return userAnswer(users, "id", userId, selected);
    },
  ),
  forViewer(
    {
      method: "PUT",
      path: "2/users/me",
      tag: "Users",
      summary: "Change your own profile",
      rate: "write",
      answer: USER_ANSWER,
      body: shape({
        name: optional(field<string>(NAME)),
        description: field<string | null | undefined>(DESCRIPTION),
        location: field<string | null | undefined>(LOCATION),
        url: field<string | null | undefined>(URL_FIELD),
      }),
    },
    async ({ ctx, body }) => ({ data: presentUser(await ctx.call("user.update", body), PROFILE) }),
  ),
  forReader(
    {
      method: "GET",
      path: "2/users/:id",
      tag: "Users",
      summary: "A user by id",
      rate: "read",
      answer: USER_ANSWER,
      scopes: READ_SCOPES,
      params: ONE,
      query: shape(USER_VIEW),
    },
    async ({ ctx, params, query: { "user.fields": selected } }) => {
      const users = await ctx.call("user.get", { ids: [params.id], with_metrics: selected.metrics });
      return userAnswer(users, "id", params.id, selected);
    },
  ),
  forReader(
    {
      method: "GET",
      path: "2/users",
      tag: "Users",
      summary: "Users by id",
      rate: "read",
      answer: USERS_ANSWER,
      scopes: READ_SCOPES,
      query: shape({ ids, ...USER_VIEW }),
    },
    async ({ ctx, query: { ids: wanted, "user.fields": selected } }) => {
      const users = await ctx.call("user.get", { ids: wanted, with_metrics: selected.metrics });
      return usersAnswer(users, "ids", wanted, selected);
    },
  ),
  forReader(
    {
      method: "GET",
      path: "2/users/by/username/:username",
      tag: "Users",
      summary: "A user by username",
      rate: "read",
      answer: USER_ANSWER,
      scopes: READ_SCOPES,
      params: shape({ username }),
      query: shape(USER_VIEW),
    },
    async ({ ctx, params, query: { "user.fields": selected } }) => {
      const query = { usernames: [params.username], with_metrics: selected.metrics };
      return userAnswer(await ctx.call("user.byUsername", query), "username", params.username, selected);
    },
  ),
  forReader(
    {
      method: "GET",
      path: "2/users/by",
      tag: "Users",
      summary: "Users by username",
      rate: "read",
      answer: USERS_ANSWER,
      scopes: READ_SCOPES,
      query: shape({ usernames, ...USER_VIEW }),
    },
    async ({ ctx, query: { usernames: wanted, "user.fields": selected } }) => {
      const users = await ctx.call("user.byUsername", { usernames: wanted, with_metrics: selected.metrics });
      return usersAnswer(users, "usernames", wanted, selected);
    },
  ),

  ...edgeRoutes,
  ...engagementRoutes,
  ...searchRoutes,

  forViewer(
    {
      method: "POST",
      path: "2/tweets",
      tag: "Tweets",
      summary: "Write a tweet, a reply or a quote",
      rate: "compose",
      answer: done(TWEET),
      scopes: WRITE_SCOPES,
      status: 201,
      body: shape({ text, reply: optional(REPLY), quote_tweet_id: optional(id) }),
      headers: { shape: shape({ "idempotency-key": idempotencyKey }), names: ["idempotency-key"] },
    },
    async ({ ctx, body, headers }) => {
      const tweet = await ctx.call("tweet.create", {
        text: body.text,
        in_reply_to_tweet_id: body.reply?.in_reply_to_tweet_id,
        quote_tweet_id: body.quote_tweet_id,
        idempotency_key: headers["idempotency-key"],
      });
      return { data: presentTweet(tweet, NEW_TWEET) };
    },
  ),
  forViewer(
    {
      method: "DELETE",
      path: "2/tweets/:id",
      tag: "Tweets",
      summary: "Delete a tweet of your own",
      rate: "write",
      answer: done(object({ deleted: boolean() })),
      scopes: WRITE_SCOPES,
      params: ONE,
    },
    async ({ ctx, params }) => ({
      data: await ctx.call("tweet.delete", { id: params.id }),
    }),
  ),
  forReader(
    {
      method: "GET",
      path: "2/tweets/:id",
      tag: "Tweets",
      summary: "A tweet by id",
      rate: "read",
      answer: TWEET_ANSWER,
      scopes: READ_SCOPES,
      params: ONE,
      query: shape(TWEET_VIEW),
    },
    async ({ ctx, params, query }) =>
      tweetAnswer(await ctx.call("tweet.get", { ids: [params.id], ...extrasOf(query) }), params.id, query),
  ),
  forReader(
    {
      method: "GET",
      path: "2/tweets",
      tag: "Tweets",
      summary: "Tweets by id",
      rate: "read",
      answer: TWEETS_ANSWER,
      scopes: READ_SCOPES,
      query: shape({ ids, ...TWEET_VIEW }),
    },
    async ({ ctx, query }) =>
      tweetsAnswer(await ctx.call("tweet.get", { ids: query.ids, ...extrasOf(query) }), query.ids, query),
  ),

  forViewer(
    {
      method: "GET",
      path: "2/users/:id/timelines/reverse_chronological",
      tag: "Timelines",
      summary: "Your own home timeline",
      rate: "read",
      answer: TIMELINE_ANSWER,
      scopes: READ_SCOPES,
      params: ONE,
      query: timeline(limits.timelinePage),
    },
    async ({ ctx, params, query }) => {
      requireSelf(ctx, params.id);
      return timelineAnswer(await ctx.call("timeline.home", timelineQuery(params.id, query)), query);
    },
  ),
  forReader(
    {
      method: "GET",
      path: "2/users/:id/mentions",
      tag: "Timelines",
      summary: "The tweets that mention a user",
      rate: "read",
      answer: TIMELINE_ANSWER,
      scopes: READ_SCOPES,
      params: ONE,
      query: timeline(limits.userTimelinePage),
    },
    async ({ ctx, params, query }) =>
      timelineAnswer(await ctx.call("timeline.mentions", timelineQuery(params.id, query)), query),
  ),
  forReader(
    {
      method: "GET",
      path: "2/users/:id/tweets",
      tag: "Timelines",
      summary: "A user's tweets",
      rate: "read",
      answer: TIMELINE_ANSWER,
      scopes: READ_SCOPES,
      params: ONE,
      query: timeline(limits.userTimelinePage),
    },
    async ({ ctx, params, query }) =>
      timelineAnswer(await ctx.call("timeline.user", timelineQuery(params.id, query)), query),
  ),
];

const NEW_TWEET: TweetView = {
  "tweet.fields": { keys: [], metrics: false },
  "user.fields": PROFILE,
  expansions: { authors: false },
};

function sessionAnswer({ user, ...tokens }: Session): TypeOf<typeof SESSION_ANSWER> {
  return { data: { id: user.id, name: user.name, username: user.username }, token_type: "bearer", ...tokens };
}

interface Page extends TweetView {
  max_results: number;
  pagination_token: string | undefined;
  since_id: Id | undefined;
  until_id: Id | undefined;
  start_time: string | undefined;
  end_time: string | undefined;
  exclude: Excludable[] | undefined;
}

function timelineQuery(userId: Id, page: Page): TimelineQuery {
  const { max_results: limit, pagination_token: cursor, since_id, until_id } = page;
  const { start_time, end_time, exclude } = page;
  const range = { since_id, until_id, start_time, end_time };
  return { user_id: userId, limit, cursor, ...range, exclude, ...extrasOf(page) };
}
