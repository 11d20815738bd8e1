import type { IncomingMessage, ServerResponse } from "node:http";
import type { ServiceBroker, ServiceSchema } from "moleculer";
import ApiGateway, { type ApiSettingsSchema, type IncomingRequest } from "moleculer-web";
import { resourcesOf } from "../../mixins/resources.ts";
import type { Ctx } from "../contracts/context.ts";
import { Admission } from "./auth.ts";
import type { Endpoint } from "./endpoint.ts";
import { Health } from "./health.ts";
import { HttpMetrics } from "./http-metrics.ts";
import { HttpServer } from "./http-server.ts";
import { describe, type ResourceType } from "./problem.ts";
import { RateLimiter } from "./rate-limit.ts";
import { sendJson } from "./reply.ts";
import { type Routed, Router } from "./router.ts";
import { endpoints } from "./routes.ts";

/** A handler of moleculer-web: `next` is for errors, the response ends the request. */
type Handler = (request: IncomingRequest, response: ServerResponse, next: (error: unknown) => void) => void;

const ports = new WeakMap<ServiceBroker, number>();

/** The port that a broker's gateway listens on; undefined where it does not. */
export function gatewayPort(broker: ServiceBroker): number | undefined {
  return ports.get(broker);
}

/** The X API v2 over HTTP: moleculer-web takes each request to its endpoint, which calls the other services. */
export default function gatewayService(broker: ServiceBroker): ServiceSchema {
  const resources = resourcesOf(broker);
  const { env, redis } = resources;
  const admission = new Admission(new RateLimiter(redis, env.rateLimitFactor), env.trustedProxies);
  const health = new Health(broker, resources);
  const metrics = new HttpMetrics(resources.metrics);
  let server: HttpServer;
  let router: Router<Routed>;

  const settings: ApiSettingsSchema = {
    // The server is made here (see HttpServer).
    server: false,
    logRequest: null,
    logRequestParams: null,
    logResponse: null,
    logRouteRegistration: null,
    optimizeOrder: false,
    routes: [
      {
        path: "/",
        mappingPolicy: "restrict",
        mergeParams: false,
        bodyParsers: false,
        etag: false,
        logging: false,
        aliases: {
          "GET health/live": answer(async () => [200, { status: "live" }]),
          "GET health/ready": answer(async () => {
            const readiness = await health.readiness();
            return [readiness.status === "unavailable" ? 503 : 200, readiness];
          }),
          ...Object.fromEntries(
            endpoints.map((endpoint) => [
              `${endpoint.method} ${endpoint.path}`,
              serving(endpoint, admission),
            ]),
          ),
        },
      },
    ],
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
        return at < 0
          ? { url, query: { raw: "" } }
          : { url: url.slice(0, at), query: { raw: url.slice(at + 1) } };
      },

      errorHandler(request: IncomingMessage, response: ServerResponse, error: unknown) {
        const { problem, headers, unexpected } = describe(error, resourceOf(request));
        if (unexpected) this.logger.error(`${request.method} failed`, error);
        sendJson(response, problem.status, problem, headers, "application/problem+json; charset=utf-8");
      },
    },

    created() {
      const aliases: Routed[] = this.aliases;
      // moleculer-web formats the alias for a debug line on every request.
      for (const alias of aliases) alias.toString = () => alias.fullPath;
      router = new Router(aliases);
      server = new HttpServer((request, response) => {
        disarm(request);
        metrics.watch(response, request.method ?? "", () => routeOf(request));
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
      await server?.close();
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

function serving(endpoint: Endpoint, admission: Admission): Handler {
  return (request, response, next) => {
    const { params, query } = request.$params; // of resolveAlias and parseQueryString
    // Moleculer's context knows nothing of the ActionMap.
    const ctx = request.$ctx as unknown as Ctx;
    endpoint.serve({ ctx, request, response, params, rawQuery: query.raw }, admission).catch(next);
  };
}

function answer(work: () => Promise<[status: number, body: object]>): Handler {
  return (_request, response, next) => {
    work().then(([status, body]) => sendJson(response, status, body), next);
  };
}

/** The template of the route that a request was taken to. */
function routeOf(request: IncomingMessage & { $alias?: Routed }): string | undefined {
  return request.$alias?.fullPath;
}

/** What a request is about, by its path. */
function resourceOf(request: IncomingMessage): ResourceType {
  return routeOf(request)?.startsWith("/2/tweets") ? "tweet" : "user";
}
