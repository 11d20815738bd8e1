import type { ServiceBroker, ServiceSchema } from "moleculer";
import { limits } from "../../config/limits.ts";
import { Batcher } from "../../mixins/batcher.ts";
import { removeJobs } from "../../mixins/outbox.repo.ts";
import { OutboxDrain } from "../../mixins/outbox.ts";
import { Periodic } from "../../mixins/periodic.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import { requireViewer } from "../contracts/context.ts";
import { RoostError } from "../contracts/errors.ts";
import { actionsOf } from "../contracts/service.ts";
import { EXPORT_SECTIONS } from "../contracts/sessions.ts";
import type { Id } from "../contracts/users.ts";
import { clearableId, idList, optional, optionalId, userExtras } from "../contracts/validators.ts";
import { Reconciler } from "../graph/reconciler.ts";
import { Accounts } from "./account/accounts.ts";
import { Erasure } from "./account/erasure.ts";
import { Export } from "./account/export.ts";
import { idIn, tokenIn } from "./jobs.ts";
import { AppRepo } from "./oauth/app.repo.ts";
import { Apps } from "./oauth/apps.ts";
import { CodeRepo } from "./oauth/code.repo.ts";
import { endApp } from "./oauth/ended-apps.ts";
import { OAuth } from "./oauth/index.ts";
import { APP_NAME, DESCRIPTION, LOCATION, NAME, PASSWORD, URL_FIELD, USERNAME } from "./rules.ts";
import { Sessions } from "./sessions/index.ts";
import { listSessions } from "./sessions/session-list.ts";
import { UserReader } from "./user-reader.ts";

const IDS = idList(limits.listPage.max);
const USERNAMES = { type: "array", max: limits.listPage.max, items: "string" } as const;
const TEXT = optional("string");
const USER_AGENT = { type: "string", max: limits.userAgent, optional: true } as const;
const OAUTH_REQUEST = {
  form: { type: "record", key: "string", value: "string" },
  authorization: TEXT,
} as const;
const AUTHORIZATION_QUERY = {
  client_id: TEXT,
  redirect_uri: TEXT,
  response_type: TEXT,
  scope: TEXT,
  state: TEXT,
  code_challenge: TEXT,
  code_challenge_method: TEXT,
} as const;

/** Accounts, handles, sessions and profiles; apps, and what people let them do. */
export default function userService(broker: ServiceBroker): ServiceSchema {
  const { db, redis, metrics } = resourcesOf(broker);
  const settled = new Batcher<Id>(
    20,
    (jobs) => removeJobs(db, jobs),
    (error) => broker.logger.debug(`outbox rows are left to the drain: ${String(error)}`),
  );
  const nudge = (jobs: Id[]) => {
    // A lost nudge only costs the time until the next poll.
    for (const shard of new Set(jobs.map((id) => db.shardOf({ id }))))
      broker.broadcast("outbox.ready", { shard, kinds: ["app", "erase"] }).catch(() => {});
  };
  const sessions = new Sessions({ db, redis });
  const reader = new UserReader({ db, redis });
  const codes = new CodeRepo(db);
  const appRepo = new AppRepo(db);
  const reconciler = new Reconciler(broker);
  const erasure = new Erasure({ db, redis, sessions, apps: appRepo, codes, reconciler, nudge });
  const accounts = new Accounts({ db, sessions, reader, codes, erasure, settled });
  const apps = new Apps({ db, apps: appRepo, sessions, nudge });
  const exporting = new Export({ db, sessions, apps: appRepo, reader });
  const oauth = new OAuth({ db, apps: appRepo, codes, sessions });
  const housekeeping = new Periodic(60_000, async () => {
    await Promise.all(db.shards.map((shard) => codes.purge(shard)));
  });
  const outbox = new OutboxDrain({
    broker,
    db,
    metrics,
    service: "user",
    handlers: {
      profile: async ({ key }) => {
        await reader.forget(idIn(key));
        return "done";
      },
      session: async ({ key }) => {
        await sessions.forget(tokenIn(key));
        return "done";
      },
    },
    paged: { app: endApp(db, sessions), erase: erasure.erase },
  });

  return {
    name: "user",
    actions: actionsOf("user", {
      signup: {
        auth: "none",
        params: { username: USERNAME, name: NAME, password: PASSWORD, user_agent: USER_AGENT },
        handler: ({ params }) => accounts.signUp(params),
      },
      login: {
        auth: "none",
        params: { username: "string", password: "string", user_agent: USER_AGENT },
        handler: ({ params }) => accounts.logIn(params),
      },
      browserLogin: {
        auth: "none",
        params: { username: "string", password: "string", user_agent: USER_AGENT },
        handler: ({ params }) => accounts.logInBrowser(params),
      },
      refresh: {
        auth: "none",
        params: { refresh_token: "string" },
        handler: ({ params }) => accounts.refresh(params.refresh_token),
      },
      answerLost: {
        auth: "none",
        params: { refresh_token: "string" },
        handler: async ({ params }) => {
          await sessions.forgive(params.refresh_token);
          return null;
        },
      },
      logout: {
        params: {},
        handler: async (ctx) => ({ revoked: await sessions.end(requireViewer(ctx)) }),
      },
      authenticate: {
        readOnly: true,
        auth: "none",
        params: { token: "string" },
        handler: ({ params }) => sessions.authenticate(params.token),
      },
      sessions: {
        readOnly: true,
        params: {},
        handler: (ctx) => listSessions(sessions, appRepo, requireViewer(ctx)),
      },
      endSession: {
        params: { id: "uuid" },
        handler: async (ctx) => {
          const { userId } = requireViewer(ctx);
          if (!(await sessions.end({ userId, sessionId: ctx.params.id })))
            throw new RoostError(
              "NOT_FOUND",
              `Could not find a session of yours with id: [${ctx.params.id}].`,
            );
          return { revoked: true };
        },
      },
      changePassword: {
        params: { current_password: "string", new_password: PASSWORD },
        handler: (ctx) =>
          accounts.changePassword(requireViewer(ctx), ctx.params.current_password, ctx.params.new_password),
      },
      close: {
        params: { password: "string" },
        handler: (ctx) => accounts.close(requireViewer(ctx), ctx.params.password),
      },
      exportAccount: {
        readOnly: true,
        params: {},
        handler: (ctx) => exporting.account(requireViewer(ctx)),
      },
      exportPage: {
        readOnly: true,
        params: { section: { type: "enum", values: [...EXPORT_SECTIONS] }, after: optionalId },
        handler: (ctx) => exporting.page(requireViewer(ctx), ctx.params),
      },
      get: {
        readOnly: true,
        auth: "none",
        params: { ids: IDS, ...userExtras },
        handler: ({ params: { ids, ...extras } }) => accounts.byIds(ids, extras),
      },
      byUsername: {
        readOnly: true,
        auth: "none",
        params: { usernames: USERNAMES, ...userExtras },
        handler: ({ params: { usernames, ...extras } }) => accounts.byUsernames(usernames, extras),
      },
      resolve: {
        readOnly: true,
        auth: "none",
        params: { usernames: USERNAMES },
        handler: ({ params }) => accounts.resolve(params.usernames),
      },
      update: {
        params: {
          name: { ...NAME, optional: true },
          description: DESCRIPTION,
          location: LOCATION,
          url: URL_FIELD,
          pinned_tweet_id: clearableId,
        },
        handler: (ctx) => accounts.update(requireViewer(ctx).userId, ctx.params),
      },
      registerApp: {
        params: {
          name: APP_NAME,
          redirect_uris: { type: "array", min: 1, max: limits.redirectUrisPerApp, items: "string" },
          type: { type: "enum", values: ["public", "confidential"] },
        },
        handler: (ctx) => apps.register(requireViewer(ctx).userId, ctx.params),
      },
      apps: {
        readOnly: true,
        params: {},
        handler: (ctx) => apps.list(requireViewer(ctx).userId),
      },
      rotateAppSecret: {
        params: { client_id: "string" },
        handler: (ctx) => apps.rotateSecret(requireViewer(ctx).userId, ctx.params.client_id),
      },
      deleteApp: {
        params: { client_id: "string" },
        handler: (ctx) => apps.delete(requireViewer(ctx).userId, ctx.params.client_id),
      },
      askAuthorization: {
        auth: "none",
        params: AUTHORIZATION_QUERY,
        handler: ({ params }) => oauth.ask(params),
      },
      authorize: {
        auth: "none",
        params: { ...AUTHORIZATION_QUERY, allowed: "boolean" },
        handler: async (ctx) => {
          const { allowed, ...query } = ctx.params;
          if (!allowed) return { redirect: await oauth.deny(query) };
          return { redirect: await oauth.allow(requireViewer(ctx), query) };
        },
      },
      oauthToken: {
        auth: "none",
        params: OAUTH_REQUEST,
        handler: ({ params }) => oauth.token(params),
      },
      oauthRevoke: {
        auth: "none",
        params: OAUTH_REQUEST,
        handler: ({ params }) => oauth.revoke(params),
      },
      oauthInvalidate: {
        auth: "none",
        params: OAUTH_REQUEST,
        handler: ({ params }) => oauth.invalidate(params),
      },
    }),
    events: outbox.events,
    started() {
      outbox.start();
      housekeeping.start();
    },
    async stopped() {
      await Promise.all([outbox.stop(), housekeeping.stop()]);
      await Promise.all([settled.close(), reconciler.close()]);
    },
  };
}
