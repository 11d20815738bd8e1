import type { ServiceBroker, ServiceSchema } from "moleculer";
import { limits } from "../../config/limits.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import { requireViewer } from "../contracts/context.ts";
import { actionsOf } from "../contracts/service.ts";
import { Accounts } from "./accounts.ts";
import { DESCRIPTION, LOCATION, NAME, PASSWORD, URL_FIELD, USERNAME } from "./rules.ts";
import { Sessions } from "./sessions.ts";
import { UserReader } from "./user-reader.ts";

const IDS = { type: "array", max: limits.listPage.max, items: "string" } as const;
const USERNAMES = { type: "array", max: limits.listPage.max, items: "string" } as const;
const FLAG = { type: "boolean", optional: true } as const;

/** Accounts, handles, sessions and profiles. */
export default function userService(broker: ServiceBroker): ServiceSchema {
  const resources = resourcesOf(broker);
  const sessions = new Sessions(resources);
  const reader = new UserReader(resources);
  const accounts = new Accounts(resources, sessions, reader);

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
        auth: "none",
        params: { token: "string" },
        handler: ({ params }) => sessions.authenticate(params.token),
      },
      get: {
        auth: "none",
        params: { ids: IDS, with_metrics: FLAG },
        handler: ({ params }) => accounts.byIds(params.ids, params.with_metrics),
      },
      byUsername: {
        auth: "none",
        params: { usernames: USERNAMES, with_metrics: FLAG },
        handler: ({ params }) => accounts.byUsernames(params.usernames, params.with_metrics),
      },
      resolve: {
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
        },
        handler: (ctx) => accounts.update(requireViewer(ctx).userId, ctx.params),
      },
    }),
  };
}
