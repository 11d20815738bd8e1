import { READ_SCOPES } from "../../contracts/scopes.ts";
import { DESCRIPTION, LOCATION, NAME, URL_FIELD } from "../../user/rules.ts";
import { type Endpoint, forReader, forViewer } from "../endpoint.ts";
import { field, id, ids, nullable, optional, shape, username, usernames } from "../fields.ts";
import { userAnswer, usersAnswer } from "../present/answers.ts";
import { USER_ANSWER, USERS_ANSWER } from "../present/objects.ts";
import { PROFILE, presentUser, USER_VIEW, userExtrasOf } from "../present/users.ts";
import { withTweets } from "./expanded-users.ts";

const ONE = shape({ id });
const PROFILE_CHANGE = shape({
  name: optional(field<string>(NAME)),
  description: field<string | null | undefined>(DESCRIPTION),
  location: field<string | null | undefined>(LOCATION),
  url: field<string | null | undefined>(URL_FIELD),
  pinned_tweet_id: optional(nullable(id)),
});
const ABOUT_ONE = { tag: "Users", rate: "read", scopes: READ_SCOPES, answer: USER_ANSWER } as const;
const ABOUT_SOME = { ...ABOUT_ONE, answer: USERS_ANSWER } as const;

/** Users by id and by name, and one's own profile. */
export const userRoutes: Endpoint[] = [
  forViewer(
    {
      ...ABOUT_ONE,
      method: "GET",
      path: "2/users/me",
      summary: "The signed-in user",
      query: shape(USER_VIEW),
    },
    async ({ ctx, viewer: { userId }, query }) => {
      const extras = userExtrasOf(query["user.fields"], query.expansions);
      const users = await ctx.call("user.get", { ids: [userId], ...extras });
      return userAnswer(await withTweets(ctx, { users }, query), "id", userId, query);
    },
  ),
  forViewer(
    {
      method: "PUT",
      path: "2/users/me",
      tag: "Users",
      summary: "Change your own profile, and pin a tweet to it",
      rate: "write",
      answer: USER_ANSWER,
      body: PROFILE_CHANGE,
    },
    async ({ ctx, body }) => ({ data: presentUser(await ctx.call("user.update", body), PROFILE) }),
  ),
  forReader(
    {
      ...ABOUT_ONE,
      method: "GET",
      path: "2/users/:id",
      summary: "A user by id",
      params: ONE,
      query: shape(USER_VIEW),
    },
    async ({ ctx, params, query }) => {
      const extras = userExtrasOf(query["user.fields"], query.expansions);
      const users = await ctx.call("user.get", { ids: [params.id], ...extras });
      return userAnswer(await withTweets(ctx, { users }, query), "id", params.id, query);
    },
  ),
  forReader(
    {
      ...ABOUT_SOME,
      method: "GET",
      path: "2/users",
      summary: "Users by id",
      query: shape({ ids, ...USER_VIEW }),
    },
    async ({ ctx, query: { ids: wanted, ...view } }) => {
      const extras = userExtrasOf(view["user.fields"], view.expansions);
      const users = await ctx.call("user.get", { ids: wanted, ...extras });
      return usersAnswer(await withTweets(ctx, { users }, view), "ids", wanted, view);
    },
  ),
  forReader(
    {
      ...ABOUT_ONE,
      method: "GET",
      path: "2/users/by/username/:username",
      summary: "A user by username",
      params: shape({ username }),
      query: shape(USER_VIEW),
    },
    async ({ ctx, params, query }) => {
      const extras = userExtrasOf(query["user.fields"], query.expansions);
      const users = await ctx.call("user.byUsername", { usernames: [params.username], ...extras });
      return userAnswer(await withTweets(ctx, { users }, query), "username", params.username, query);
    },
  ),
  forReader(
    {
      ...ABOUT_SOME,
      method: "GET",
      path: "2/users/by",
      summary: "Users by username",
      query: shape({ usernames, ...USER_VIEW }),
    },
    async ({ ctx, query: { usernames: wanted, ...view } }) => {
      const extras = userExtrasOf(view["user.fields"], view.expansions);
      const users = await ctx.call("user.byUsername", { usernames: wanted, ...extras });
      return usersAnswer(await withTweets(ctx, { users }, view), "usernames", wanted, view);
    },
  ),
];
