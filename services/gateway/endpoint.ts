import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { RateClass } from "../../config/limits.ts";
import type { Viewer } from "../contracts/actions.ts";
import type { Ctx } from "../contracts/context.ts";
import type { Admission } from "./auth.ts";
import { readJsonObject } from "./body.ts";
import { type Shape, shape } from "./fields.ts";
import type { Answer } from "./present/answers.ts";
import { parseQuery } from "./query.ts";
import { sendJson } from "./reply.ts";

export type Method = "GET" | "POST" | "PUT" | "DELETE";

/** A request that has passed: who asks, and the checked parameters of each place, never mixed. */
export interface Asked<P, Q, B, H> {
  ctx: Ctx;
  params: P;
  query: Q;
  body: B;
  headers: H;
}

/** What a route is, in one place. Without a shape, a path or query may have no parameters and a body is not read. */
export interface EndpointSpec<P, Q, B, H> {
  method: Method;
  /** Below "/"; `:name` is a parameter. */
  path: string;
  rate: RateClass;
  params?: Shape<P>;
  query?: Shape<Q>;
  body?: Shape<B>;
  /** Only the headers that it names. */
  headers?: { shape: Shape<H>; names: readonly string[] };
  /** 200 unless it says otherwise. */
  status?: number;
}

/** What the parts of a raw request are when they reach an endpoint. */
export interface RawRequest {
  ctx: Ctx;
  request: IncomingMessage;
  response: ServerResponse;
  params: Record<string, unknown>;
  rawQuery: string;
}

export interface Endpoint {
  method: Method;
  path: string;
  /** Admits, checks, calls, presents and sends. Throws what `describe` understands. */
  serve(raw: RawRequest, admission: Admission): Promise<void>;
}

/** An endpoint for signed-in users; `handle` also gets the viewer, whom it has set in `ctx.meta`. */
export function forViewer<P, Q, B, H>(
  spec: EndpointSpec<P, Q, B, H>,
  handle: (asked: Asked<P, Q, B, H> & { viewer: Viewer }) => Promise<Answer>,
): Endpoint {
  return {
    method: spec.method,
    path: spec.path,
    async serve(raw, admission) {
      const viewer = await admission.admitViewer(raw.ctx, raw.request, raw.response, spec.rate);
      raw.ctx.meta.viewer = viewer;
      const answer = await handle({ ...(await check(spec, raw)), viewer });
      sendJson(raw.response, spec.status ?? 200, answer);
    },
  };
}

/** An endpoint for anyone, limited by IP. */
export function forAnyone<P, Q, B, H>(
  spec: EndpointSpec<P, Q, B, H>,
  handle: (asked: Asked<P, Q, B, H>) => Promise<object>,
): Endpoint {
  return {
    method: spec.method,
    path: spec.path,
    async serve(raw, admission) {
      await admission.admitAnyone(raw.request, raw.response, spec.rate);
      sendJson(raw.response, spec.status ?? 200, await handle(await check(spec, raw)));
    },
  };
}

const NO_QUERY = shape({});

async function check<P, Q, B, H>(
  spec: EndpointSpec<P, Q, B, H>,
  raw: RawRequest,
): Promise<Asked<P, Q, B, H>> {
  return {
    ctx: raw.ctx,
    // A place without a shape is of a type without fields: an empty object is one.
    params: spec.params?.parse(raw.params) ?? ({} as P),
    query: (spec.query ?? NO_QUERY).parse(parseQuery(raw.rawQuery)) as Q,
    body: spec.body?.parse(await readJsonObject(raw.request)) ?? ({} as B),
    headers: spec.headers?.shape.parse(only(raw.request.headers, spec.headers.names)) ?? ({} as H),
  };
}

function only(headers: IncomingHttpHeaders, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => [name, headers[name]]));
}
