import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { RateClass } from "../../config/limits.ts";
import type { Ctx, Meta } from "../contracts/context.ts";
import type { Scope } from "../contracts/scopes.ts";
import type { App, Viewer } from "../contracts/sessions.ts";
import type { Admission } from "./auth.ts";
import { type Caller, callerOf, requireApp, requireUser } from "./caller.ts";
import { type Shape, shape } from "./fields.ts";
import { readJsonObject } from "./http/body.ts";
import { parseQuery } from "./http/query.ts";
import { sendJson } from "./http/reply.ts";
import type { JsonSchema, Schema } from "./schema.ts";
import type { ReadsAs } from "./session-reads.ts";
import type { Outlet, StreamFormat } from "./streams/outlet.ts";
import type { LiveStream, Streams } from "./streams/streams.ts";
import {
  faultInPosts,
  inPosts,
  maySpeakOfPosts,
  querySchemaInBoth,
  schemaInPosts,
  spokenIn,
} from "./vocabulary.ts";

export type Method = "GET" | "POST" | "PUT" | "DELETE";

/** A request that has passed: who asks, and the checked parameters of each place, never mixed. */
export interface Asked<P, Q, B, H> {
  ctx: Ctx;
  raw: RawRequest;
  admission: Admission;
  params: P;
  query: Q;
  body: B;
  headers: H;
}

/** The chapters of the reference. */
export const TAGS = [
  "Session",
  "Apps",
  "OAuth",
  "Users",
  "Tweets",
  "Timelines",
  "Search",
  "Streams",
  "Engagement",
  "Relations",
] as const;
export type Tag = (typeof TAGS)[number];

/**
 * What a route is, in one place: what checks requests is also what the reference says of them. Without a shape, a path or
 * query may have no parameters and a body is not read.
 */
export interface EndpointSpec<P, Q, B, H, A> {
  method: Method;
  /** Below "/"; `:name` is a parameter. */
  path: string;
  tag: Tag;
  /** A few words for the reference. */
  summary: string;
  rate: RateClass;
  /** What an app must have been granted to call it for a user. Without it, apps may not: it takes a first-party session. */
  scopes?: readonly Scope[];
  params?: Shape<P>;
  query?: Shape<Q>;
  body?: Shape<B>;
  /** Only the headers that it names. */
  headers?: { shape: Shape<H>; names: readonly string[] };
  /** 200 unless it says otherwise. */
  status?: number;
  /** What comes with that status. */
  answer: Schema<A>;
}

/** What the reference says of an endpoint. */
export interface Documented {
  tag: Tag;
  summary: string;
  access: Access;
  scopes?: readonly Scope[];
  params?: JsonSchema;
  query?: JsonSchema;
  headers?: JsonSchema;
  /** By content type. */
  body?: Record<string, JsonSchema>;
  /** By status; JSON unless `type` says otherwise. */
  answers: Record<number, { description: string; schema: JsonSchema; type?: string }>;
}

/** What the parts of a raw request are when they reach an endpoint. */
export interface RawRequest {
  ctx: Ctx;
  request: IncomingMessage;
  response: ServerResponse;
  params: Record<string, unknown>;
  rawQuery: string;
  streams: Streams;
}

/**
 * Who may call an endpoint: anyone; a user (first-party, or through an app with the scopes); a reader, who is a user or an
 * app by itself; only an app by itself.
 */
export type Access = "anyone" | "user" | "reader" | "app";

export interface Endpoint {
  method: Method;
  path: string;
  /** undefined: no part of the API. */
  documented?: Documented;
  /** Admits, checks, calls, presents and sends. Throws what `describe` understands. */
  serve(raw: RawRequest, admission: Admission): Promise<void>;
}

/** An endpoint for signed-in users; `handle` also gets the viewer, whom it has set in `ctx.meta`. */
export function forViewer<P, Q, B, H, A extends object>(
  spec: EndpointSpec<P, Q, B, H, A>,
  handle: (asked: Asked<P, Q, B, H> & { viewer: Viewer }) => Promise<A>,
): Endpoint {
  return served(spec, "user", async (raw, admission) => {
    const { caller, reads } = await identify(spec, raw, admission);
    const { viewer } = requireUser(caller);
    raw.ctx.meta.viewer = viewer;
    const asked = await check(spec, raw, admission);
    return reads(spec.method, () => handle({ ...asked, viewer }));
  });
}

/** An endpoint that an app may also read by itself: then there is no viewer. */
export function forReader<P, Q, B, H, A extends object>(
  spec: EndpointSpec<P, Q, B, H, A>,
  handle: (asked: Asked<P, Q, B, H> & { viewer: Viewer | undefined }) => Promise<A>,
): Endpoint {
  return served(spec, "reader", async (raw, admission) => {
    const { caller, reads } = await identify(spec, raw, admission);
    const { viewer, app } = caller;
    raw.ctx.meta.viewer = viewer;
    raw.ctx.meta.app = app;
    const asked = await check(spec, raw, admission);
    return reads(spec.method, () => handle({ ...asked, viewer }));
  });
}

/** An endpoint for apps by themselves only. */
export function forApp<P, Q, B, H, A extends object>(
  spec: EndpointSpec<P, Q, B, H, A>,
  handle: (asked: Asked<P, Q, B, H> & { app: App }) => Promise<A>,
): Endpoint {
  return served(spec, "app", async (raw, admission) => {
    const { caller, reads } = await identify(spec, raw, admission);
    const { app } = requireApp(caller);
    raw.ctx.meta.app = app;
    const asked = await check(spec, raw, admission);
    return reads(spec.method, () => handle({ ...asked, app }));
  });
}

/** An endpoint for anyone, limited by IP. */
export function forAnyone<P, Q, B, H, A extends object>(
  spec: EndpointSpec<P, Q, B, H, A>,
  handle: (asked: Asked<P, Q, B, H>) => Promise<A>,
): Endpoint {
  return served(spec, "anyone", async (raw, admission) => {
    await admission.admitAnyone(raw.request, raw.response, spec.rate);
    return handle(await check(spec, raw, admission));
  });
}

/** What a stream gives its endpoint. */
export interface Streaming {
  /** Who streams, as actions know them. */
  meta: Meta;
  streams: Streams;
  /** An answer as the client calls things. */
  inItsWords(answer: object): object;
}

/**
 * An endpoint whose answer goes on until one side ends it. `open` makes the stream; what it throws before it has begun is
 * answered as a problem.
 */
export function streaming<P, Q, B, H, A extends object>(
  spec: EndpointSpec<P, Q, B, H, A> & { format: StreamFormat },
  access: "user" | "reader",
  open: (asked: Asked<P, Q, B, H>, stream: Streaming, outlet: Outlet) => Promise<LiveStream>,
): Endpoint {
  return {
    method: spec.method,
    path: spec.path,
    documented: documentedBy(spec, access, spec.format.contentType),
    async serve(raw, admission) {
      const { caller } = await identify(spec, raw, admission);
      const meta: Meta = access === "user" ? requireUser(caller) : { ...caller };
      Object.assign(raw.ctx.meta, meta);
      const asked = await check(spec, raw, admission);
      const words = (answer: object) => inItsWords(answer, raw.rawQuery);
      const stream: Streaming = { meta, streams: raw.streams, inItsWords: words };
      const authenticate = (token: string) => raw.streams.call("user.authenticate", { token });
      const stillStands = () => admission.stillStands(raw.request, authenticate);
      await raw.streams.serve(raw, { meta, format: spec.format, stillStands }, (outlet) =>
        open(asked, stream, outlet),
      );
    },
  };
}

function served<P, Q, B, H, A extends object>(
  spec: EndpointSpec<P, Q, B, H, A>,
  access: Access,
  answer: (raw: RawRequest, admission: Admission) => Promise<A>,
): Endpoint {
  return {
    method: spec.method,
    path: spec.path,
    documented: documentedBy(spec, access),
    async serve(raw, admission) {
      const answered = await answer(raw, admission);
      sendJson(raw.response, spec.status ?? 200, inItsWords(answered, raw.rawQuery));
    },
  };
}

function documentedBy<P, Q, B, H, A>(
  spec: EndpointSpec<P, Q, B, H, A>,
  access: Access,
  contentType?: string,
): Documented {
  const { tag, summary, scopes, params, query, headers, body, status = 200, answer } = spec;
  return {
    tag,
    summary,
    access,
    scopes,
    params: params?.schema,
    query: query && querySchemaInBoth(query.schema),
    headers: headers?.shape.schema,
    body: body && { "application/json": body.schema },
    answers: {
      [status]: {
        description: "Done",
        schema: query ? inEither(answer.json) : answer.json,
        type: contentType?.split(";", 1)[0],
      },
    },
  };
}

function inEither(schema: JsonSchema): JsonSchema {
  const posts = schemaInPosts(schema);
  return posts === schema ? schema : { anyOf: [schema, posts] };
}

async function identify(
  { rate, scopes }: { rate: RateClass; scopes?: readonly Scope[] },
  { ctx, request, response }: RawRequest,
  admission: Admission,
): Promise<{ caller: Caller; reads: ReadsAs }> {
  const { reads, ...session } = await admission.admitToken(ctx, request, response, rate);
  return { caller: callerOf(session, scopes), reads };
}

const NO_QUERY = shape({});

async function check<P, Q, B, H, A extends object>(
  spec: EndpointSpec<P, Q, B, H, A>,
  raw: RawRequest,
  admission: Admission,
): Promise<Asked<P, Q, B, H>> {
  return {
    ctx: raw.ctx,
    raw,
    admission,
    // A place without a shape is of a type without fields: an empty object is one.
    params: spec.params?.parse(raw.params) ?? ({} as P),
    query: checkQuery(spec, raw.rawQuery),
    body: spec.body?.parse(await readJsonObject(raw.request)) ?? ({} as B),
    headers: spec.headers?.shape.parse(only(raw.request.headers, spec.headers.names)) ?? ({} as H),
  };
}

/** A query may be in either vocabulary of the X API; endpoints know that of tweets. */
function checkQuery<P, Q, B, H, A>({ query }: EndpointSpec<P, Q, B, H, A>, rawQuery: string): Q {
  // A place without a shape is of a type without fields.
  const known = query ?? (NO_QUERY as Shape<Q>);
  const sent = parseQuery(rawQuery);
  if (!maySpeakOfPosts(rawQuery)) return known.parse(sent);
  const spoken = spokenIn(sent);
  return known.parse(spoken.query, spoken.vocabulary === "post" ? faultInPosts : undefined);
}

/** An answer in the vocabulary of the query; the query has passed. */
function inItsWords(answer: object, rawQuery: string): object {
  const posts = maySpeakOfPosts(rawQuery) && spokenIn(parseQuery(rawQuery)).vocabulary === "post";
  return posts ? Object(inPosts(answer)) : answer;
}

function only(headers: IncomingHttpHeaders, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => [name, headers[name]]));
}
