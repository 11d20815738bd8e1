import { limits } from "../../../config/limits.ts";
import { APP_NAME } from "../../user/rules.ts";
import { type Endpoint, forViewer } from "../endpoint.ts";
import { clientId, field, shape, texts } from "../fields.ts";
import { APP, APP_WITH_SECRET, done } from "../present/objects.ts";
import { boolean, list, object } from "../schema.ts";

const TYPE = { type: "enum", values: ["public", "confidential"] } as const;
const ONE = shape({ client_id: clientId });

/** The apps that a developer registers. */
export const appRoutes: Endpoint[] = [
  forViewer(
    {
      method: "POST",
      path: "auth/apps",
      tag: "Apps",
      summary: "Register an app",
      rate: "apps",
      answer: done(APP_WITH_SECRET),
      status: 201,
      body: shape({
        name: field<string>(APP_NAME),
        redirect_uris: texts(limits.redirectUrisPerApp, {
          type: "string",
          format: "uri",
          description: "https, http on the loopback interface, or a scheme of the app's own",
        }),
        type: field<"public" | "confidential">(TYPE, {
          type: "string",
          description: "public: it runs on people's devices and can keep no secret",
        }),
      }),
    },
    async ({ ctx, body }) => ({ data: await ctx.call("user.registerApp", body) }),
  ),
  forViewer(
    {
      method: "GET",
      path: "auth/apps",
      tag: "Apps",
      summary: "Your apps",
      rate: "read",
      answer: done(list(APP)),
    },
    async ({ ctx }) => ({ data: await ctx.call("user.apps", {}) }),
  ),
  forViewer(
    {
      method: "POST",
      path: "auth/apps/:client_id/secret",
      tag: "Apps",
      summary: "Give an app another secret, which ends its own token",
      rate: "write",
      answer: done(APP_WITH_SECRET),
      params: ONE,
    },
    async ({ ctx, params }) => ({ data: await ctx.call("user.rotateAppSecret", params) }),
  ),
  forViewer(
    {
      method: "DELETE",
      path: "auth/apps/:client_id",
      tag: "Apps",
      summary: "Delete an app, which ends all of its sessions",
      rate: "write",
      answer: done(object({ deleted: boolean() })),
      params: ONE,
    },
    async ({ ctx, params }) => ({ data: await ctx.call("user.deleteApp", params) }),
  ),
];
