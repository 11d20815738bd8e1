import type { Session } from "../contracts/actions.ts";
import { NAME, PASSWORD, USERNAME } from "../user/rules.ts";
import { edgeRoutes } from "./edge-routes.ts";
import { type Endpoint, forAnyone, forViewer } from "./endpoint.ts";
import { engagementRoutes } from "./engagement-routes.ts";
import { field, shape, text, username } from "./fields.ts";
import { done, SESSION_ANSWER } from "./present/objects.ts";
import { boolean, object, type TypeOf } from "./schema.ts";
import { searchRoutes } from "./search-routes.ts";
import { timelineRoutes } from "./timeline-routes.ts";
import { tweetRoutes } from "./tweet-routes.ts";
import { userRoutes } from "./user-routes.ts";

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

  ...userRoutes,
  ...edgeRoutes,
  ...engagementRoutes,
  ...tweetRoutes,
  ...timelineRoutes,
  ...searchRoutes,
];

function sessionAnswer({ user, ...tokens }: Session): TypeOf<typeof SESSION_ANSWER> {
  return { data: { id: user.id, name: user.name, username: user.username }, token_type: "bearer", ...tokens };
}
