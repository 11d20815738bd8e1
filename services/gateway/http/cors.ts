import type { IncomingMessage, ServerResponse } from "node:http";

/** What pages of other origins may read beside the answer itself. */
const EXPOSED =
  "retry-after, www-authenticate, x-rate-limit-limit, x-rate-limit-remaining, x-rate-limit-reset";
const ALLOWED = {
  "access-control-allow-methods": "GET, POST, PUT, DELETE",
  "access-control-allow-headers": "authorization, content-type, idempotency-key, last-event-id",
  // So long a browser need not ask again, in s.
  "access-control-max-age": "600",
};
/** What apps in browsers call. */
const API = /^\/(2|auth)\//;

/**
 * Lets pages of the origins in `CORS_ORIGINS` call the API (the Fetch Standard's CORS protocol). Origins are compared
 * whole. Never with credentials: a page sends its token itself.
 */
export class Cors {
  readonly #origins: ReadonlySet<string>;

  constructor(origins: readonly string[]) {
    this.#origins = new Set(origins);
  }

  /** Sets the headers of an answer. True where that was all: the request only asked whether it might be sent. */
  answer({ method, url = "", headers }: IncomingMessage, response: ServerResponse): boolean {
    if (this.#origins.size === 0 || !API.test(url)) return false;
    if (!this.#origins.has("*")) response.setHeader("vary", "origin");
    const allowed = this.#allowed(headers.origin);
    if (allowed === undefined) return false;
    response.setHeader("access-control-allow-origin", allowed);
    if (method !== "OPTIONS" || headers["access-control-request-method"] === undefined) {
      response.setHeader("access-control-expose-headers", EXPOSED);
      return false;
    }
    response.writeHead(204, ALLOWED).end();
    return true;
  }

  #allowed(origin: string | undefined): string | undefined {
    if (origin === undefined) return undefined;
    if (this.#origins.has("*")) return "*";
    return this.#origins.has(origin) ? origin : undefined;
  }
}
