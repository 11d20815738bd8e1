import { pipeline } from "node:stream/promises";
import type { Ctx } from "../../contracts/context.ts";
import { EXPORT_SECTIONS } from "../../contracts/sessions.ts";
import { callerOf, requireUser } from "../caller.ts";
import type { Endpoint } from "../endpoint.ts";
import { startStream } from "../http/reply.ts";
import { EXPORT } from "../present/objects.ts";

/** One's own data as one JSON object, written as it is read: a page of it is in memory at a time, however slow the client. */
export const exportRoute: Endpoint = {
  method: "GET",
  path: "auth/export",
  documented: {
    tag: "Session",
    summary: "All that is stored about you",
    access: "user",
    answers: { 200: { description: "Done", schema: EXPORT.json } },
  },
  async serve({ ctx, request, response }, admission) {
    const session = await admission.admitToken(ctx, request, response, "export");
    ctx.meta.viewer = requireUser(callerOf(session, undefined)).viewer;
    const account = await ctx.call("user.exportAccount", {});
    startStream(response, "application/json; charset=utf-8", {
      "content-disposition": 'attachment; filename="roost-export.json"',
    });
    // The status is sent: where a page fails, only the broken connection tells that the data is not whole.
    await pipeline(exported(ctx, account), response).catch(() => {});
  },
};

async function* exported(ctx: Ctx, account: object): AsyncGenerator<string> {
  yield `${JSON.stringify({ exported_at: new Date().toISOString(), ...account }).slice(0, -1)}`;
  for (const section of EXPORT_SECTIONS) {
    yield `,${JSON.stringify(section)}:[`;
    let after: string | undefined;
    do {
      const { items, next } = await ctx.call("user.exportPage", { section, after });
      const text = items.map((item) => JSON.stringify(item)).join(",");
      yield after === undefined || text === "" ? text : `,${text}`;
      after = next;
    } while (after !== undefined);
    yield "]";
  }
  yield "}";
}
