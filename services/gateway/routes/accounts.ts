import type { Ctx } from "../../contracts/context.ts";
import { RoostError } from "../../contracts/errors.ts";
import type { Session, Viewer } from "../../contracts/sessions.ts";
import { NAME, PASSWORD, USERNAME } from "../../user/rules.ts";
import { type Endpoint, forAnyone, forViewer } from "../endpoint.ts";
import { field, shape, text, username, uuid } from "../fields.ts";
import { delivering } from "../http/delivery.ts";
import { userAgentOf } from "../http/user-agent.ts";
import { done, LISTED_SESSION, SESSION_ANSWER } from "../present/objects.ts";
import { boolean, list, object, type TypeOf } from "../schema.ts";

/** Signing up and in, and one's own sessions and password. Nothing here is for third-party apps. */
export const accountRoutes: Endpoint[] = [
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
    async ({ ctx, body, raw }) =>
      sessionAnswer(await ctx.call("user.signup", { ...body, user_agent: userAgentOf(raw.request) })),
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
    ({ ctx, body, raw, admission }) =>
      admission.tryPassword(raw, body.username, async () =>
        sessionAnswer(await ctx.call("user.login", { ...body, user_agent: userAgentOf(raw.request) })),
      ),
  ),
  forAnyone(
    {
      method: "POST",
      path: "auth/refresh",
      tag: "Session",
      summary: "Get new tokens for a refresh token, which ends with it",
      rate: "oauth",
      answer: SESSION_ANSWER,
      body: shape({ refresh_token: text }),
    },
    async ({ body, raw }) =>
      sessionAnswer(await delivering(raw, body.refresh_token, (ctx) => ctx.call("user.refresh", body))),
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
    async ({ ctx }) => ({ data: await ctx.call("user.logout", {}) }),
  ),
  forViewer(
    {
      method: "GET",
      path: "auth/sessions",
      tag: "Session",
      summary: "Your sessions, those of apps included",
      rate: "read",
      answer: done(list(LISTED_SESSION)),
    },
    async ({ ctx }) => ({ data: await ctx.call("user.sessions", {}) }),
  ),
  forViewer(
    {
      method: "DELETE",
      path: "auth/sessions/:id",
      tag: "Session",
      summary: "End one of your sessions",
      rate: "write",
      answer: done(object({ revoked: boolean() })),
      params: shape({ id: uuid }),
    },
    async ({ ctx, params }) => ({ data: await ctx.call("user.endSession", params) }),
  ),
  forViewer(
    {
      method: "PUT",
      path: "auth/password",
      tag: "Session",
      summary: "Change your password, which ends your other sessions",
      rate: "write",
      answer: done(object({ changed: boolean() })),
      body: shape({ current_password: text, new_password: field<string>(PASSWORD) }),
    },
    async ({ ctx, body, viewer, raw, admission }) =>
      admission.tryPassword(raw, await usernameOf(ctx, viewer), async () => ({
        data: await ctx.call("user.changePassword", body),
      })),
  ),
  forViewer(
    {
      method: "DELETE",
      path: "auth/account",
      tag: "Session",
      summary: "Delete your account and all that it holds, for good",
      rate: "write",
      answer: done(object({ deleted: boolean() })),
      body: shape({ password: text }),
    },
    async ({ ctx, body, viewer, raw, admission }) =>
      admission.tryPassword(raw, await usernameOf(ctx, viewer), async () => ({
        data: await ctx.call("user.close", body),
      })),
  ),
];

/** Wrong passwords are counted by it, signed in or not. */
async function usernameOf(ctx: Ctx, { userId }: Viewer): Promise<string> {
  const [user] = await ctx.call("user.get", { ids: [userId] });
  if (!user) throw new RoostError("UNAUTHORIZED", "This account was deleted.");
  return user.username;
}

function sessionAnswer({ user, ...tokens }: Session): TypeOf<typeof SESSION_ANSWER> {
  return { data: { id: user.id, name: user.name, username: user.username }, token_type: "bearer", ...tokens };
}
