import type { ServiceBroker, ServiceSchema } from "moleculer";
import { limits } from "../../config/limits.ts";
import { Batcher } from "../../mixins/batcher.ts";
import { removeJobs } from "../../mixins/outbox.repo.ts";
import { OutboxDrain } from "../../mixins/outbox.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import { isId } from "../../mixins/shard-db/ids.ts";
import type { Id } from "../contracts/actions.ts";
import { requireViewer } from "../contracts/context.ts";
import { actionsOf } from "../contracts/service.ts";
import { clearableId, idList, userExtras } from "../contracts/validators.ts";
import { Accounts } from "./accounts.ts";
import { DESCRIPTION, LOCATION, NAME, PASSWORD, URL_FIELD, USERNAME } from "./rules.ts";
import { Sessions } from "./sessions.ts";
import type { TokenRef } from "./tokens.ts";
import { UserReader } from "./user-reader.ts";

const IDS = idList(limits.listPage.max);
const USERNAMES = { type: "array", max: limits.listPage.max, items: "string" } as const;

/** Accounts, handles, sessions and profiles. */
export default function userService(broker: ServiceBroker): ServiceSchema {
  const { db, redis, metrics } = resourcesOf(broker);
  const settled = new Batcher<Id>(
    20,
    (jobs) => removeJobs(db, jobs),
    (error) => broker.logger.debug(`outbox rows are left to the drain: ${String(error)}`),
  );
  const sessions = new Sessions({ db, redis });
  const reader = new UserReader({ db, redis });
  const accounts = new Accounts({ db, sessions, reader, settled });
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
  });

  return {
    name: "user",
    actions: actionsOf("user", {
      signup: {
        auth: "none",
        params: { username: USERNAME, name: NAME, password: PASSWORD },
        handler: ({ params }) => accounts.signUp(params),
      },
      login: {
        auth: "none",
        params: { username: "string", password: "string" },
        handler: ({ params }) => accounts.logIn(params),
      },
      refresh: {
        auth: "none",
        params: { refresh_token: "string" },
        handler: ({ params }) => accounts.refresh(params.refresh_token),
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
    }),
    started: () => outbox.start(),
    async stopped() {
      await outbox.stop();
      await settled.close();
    },
  };
}

/** The user that a "profile" job names. */
function idIn(key: unknown): Id {
  const { id } = Object(key);
  if (!isId(id)) throw new Error(`not a user: ${JSON.stringify(key)}`);
  return id;
}

/** The access token that a "session" job names. */
function tokenIn(key: unknown): TokenRef {
  const { bucket, hash } = Object(key);
  if (typeof bucket !== "number" || typeof hash !== "string") throw new Error("not a token");
  return { bucket, hash };
}
