import type { IncomingMessage, ServerResponse } from "node:http";
import type { ServiceBroker, ServiceSchema } from "moleculer";
import ApiGateway, { type ApiSettingsSchema } from "moleculer-web";
import { resourcesOf } from "../../mixins/resources.ts";
import type { Ctx } from "../contracts/context.ts";
import { Admission } from "./auth.ts";
import type { Endpoint } from "./endpoint.ts";
import { Health, healthEndpoints } from "./health.ts";
import { Cors } from "./http/cors.ts";
import { HttpMetrics } from "./http/metrics.ts";
import { sendJson } from "./http/reply.ts";
import { HttpServer } from "./http/server.ts";
import { describe, type ResourceType } from "./problem.ts";
import { RateLimiter } from "./rate-limit.ts";
import { docsEndpoints } from "./reference/docs.ts";
import { type Match, type Routed, Router } from "./router.ts";
import { endpoints } from "./routes.ts";
import { SessionReads } from "./session-reads.ts";
import { Streams } from "./streams/streams.ts";

/** A request on its way through moleculer-web. */
interface Request extends IncomingMessage {
  /** What parseQueryString left of the URL. */
  query: string;
  $alias?: Alias;
}

/** What resolveAlias answers: an endpoint, with what moleculer-web looks for in an alias. */
class Alias implements Routed {
  readonly method: string;
  readonly fullPath: string;
  readonly endpoint: Endpoint;
  readonly route: { path: string };

  constructor(endpoint: Endpoint, route: { path: string }) {
    this.method = endpoint.method;
    this.fullPath = `/${endpoint.path}`;
    this.endpoint = endpoint;
    this.route = route;
  }
}

const ports = new WeakMap<ServiceBroker, number>();

/** The port that a broker's gateway listens on; undefined where it does not. */
export function gatewayPort(broker: ServiceBroker): number | undefined {
  return ports.get(broker);
}

/** The X API v2 over HTTP: moleculer-web takes each request to its endpoint, which calls the other services. */
export default function gatewayService(broker: ServiceBroker): ServiceSchema {
  const resources = resourcesOf(broker);
  const { env, redis } = resources;
  const limiter = new RateLimiter(redis, env.rateLimitFactor);
  const sessions = new SessionReads(resources.db, limiter, env.replicaMaxLagMs);
  const admission = new Admission(limiter, sessions, env.trustedProxies);
  const metrics = new HttpMetrics(resources.metrics);
  const streams = new Streams(broker, resources.metrics);
  const route = {
    path: "/",
    mappingPolicy: "restrict",
    bodyParsers: false,
    etag: false,
    logging: false,
  } as const;
  const routes = [
    ...healthEndpoints(new Health(broker, resources)),
    ...docsEndpoints(endpoints),
    ...endpoints,
  ];
  const router = new Router(routes.map((endpoint) => new Alias(endpoint, route)));
  const server = new HttpServer();
  const cors = new Cors(env.corsOrigins);
  const settings: ApiSettingsSchema = {
    // The server is HttpServer's.
    server: false,
    logRequest: null,
    logRequestParams: null,
    logResponse: null,
    logRouteRegistration: null,
    optimizeOrder: false,
    routes: [{ ...route }],
  };

  return {
    name: "gateway",
    mixins: [ApiGateway],
    settings,

    // moleculer-web's own actions would let any node change the routes.
    actions: { listAliases: false, addRoute: false, removeRoute: false },

    methods: {
      /** Instead of a regular expression for each route in turn. Throws 404 and 405. */
      resolveAlias(url: string, method = "OPTIONS") {
        return router.find(url, method);
      },

      /** Leaves the query to the endpoint, which knows what may be in it. */
      parseQueryString({ url = "/" }: IncomingMessage) {
        const at = url.indexOf("?");
        return at < 0 ? { url, query: "" } : { url: url.slice(0, at), query: url.slice(at + 1) };
      },

      /** Instead of merging parameters and looking for an action of their name. Resolves once the reply is written. */
      async routeHandler(
        ctx: Ctx,
        _route: unknown,
        request: Request,
        response: ServerResponse,
        found: Match<Alias>,
      ) {
        request.$alias = found.alias;
        const { params } = found;
        await found.alias.endpoint.serve(
          { ctx, request, response, params, rawQuery: request.query, streams },
          admission,
        );
        return true;
      },

      errorHandler(request: Request, response: ServerResponse, error: unknown) {
        const { problem, headers, unexpected } = describe(error, resourceOf(request));
        if (unexpected) this.logger.error(`${request.method} failed`, error);
        const reply = () =>
          sendJson(response, problem.status, problem, headers, "application/problem+json; charset=utf-8");
        if (response.hasHeader("x-rate-limit-limit")) reply();
        else void admission.tell(request, response).then(reply, reply);
      },
    },

    events: streams.events,

    created() {
      server.serve((request, response) => {
        metrics.watch(response, request.method ?? "", () => routeOf(request));
        if (cors.answer(request, response)) return;
        disarm(request);
        void this.httpHandler(request, response);
      });
    },

    async started() {
      const { host, reusePort } = env;
      const port = await server.listen({ port: env.port, host, reusePort });
      ports.set(broker, port);
      this.logger.info(`listening on ${host}:${port}`);
    },

    async stopped() {
      await streams.stop();
      await server.close();
    },
  };
}

/**
 * Takes away what moleculer-web would act upon: a preflight request would run the action of the method that it asks
 * for, and a client would choose the request id.
 */
function disarm({ headers }: IncomingMessage): void {
  delete headers["access-control-request-method"];
  delete headers["x-request-id"];
  delete headers["x-correlation-id"];
}

/** The template of the route that a request was taken to. */
function routeOf(request: IncomingMessage & { $alias?: Alias }): string | undefined {
  return request.$alias?.fullPath;
}

/** What a request is about, by its path. */
function resourceOf(request: Request): ResourceType {
  return routeOf(request)?.startsWith("/2/tweets") ? "tweet" : "user";
}
