import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { SECURITY } from "./reply.ts";

/** Bounds on slow clients, in ms. Idle connections outlive those of usual proxies, so that the proxy closes first. */
const TIMEOUTS = { headers: 10_000, request: 20_000, keepAlive: 65_000 } as const;
/** Requests that are still running this long after a stop are cut off, in ms. */
const GRACE_MS = 10_000;

export interface ListenOptions {
  port: number;
  host: string;
  /** Several processes may listen on the port; the kernel shares the connections out among them. */
  reusePort: boolean;
}

/** An HTTP server with bounded waits that stops gracefully. */
export class HttpServer {
  readonly #server: Server;

  constructor() {
    this.#server = createServer({
      headersTimeout: TIMEOUTS.headers,
      requestTimeout: TIMEOUTS.request,
      keepAliveTimeout: TIMEOUTS.keepAlive,
    });
    this.#server.on("clientError", refuse);
  }

  /** Says who answers requests. */
  serve(listener: (request: IncomingMessage, response: ServerResponse) => void): void {
    this.#server.on("request", (request: IncomingMessage, response: ServerResponse) => {
      // A connection that is being served while we stop is not kept for another request.
      if (!this.#server.listening) response.shouldKeepAlive = false;
      listener(request, response);
    });
  }

  /** Resolves with the port. Rejects where it cannot be had. */
  listen(options: ListenOptions): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject).listen(options, () => {
        this.#server.off("error", reject);
        const address = this.#server.address();
        resolve(typeof address === "object" && address ? address.port : options.port);
      });
    });
  }

  /** Takes no more connections, lets the running requests finish. */
  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise<void>((done) => this.#server.close(() => done()));
    const idle = setInterval(() => this.#server.closeIdleConnections(), 50);
    const late = setTimeout(() => this.#server.closeAllConnections(), GRACE_MS);
    await closed;
    clearInterval(idle);
    clearTimeout(late);
  }
}

/** Answers what is no HTTP request, or did not arrive in time, and hangs up. */
function refuse(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, title] =
    error.code === "HPE_HEADER_OVERFLOW"
      ? [431, "Request Header Fields Too Large"]
      : error.code === "ERR_HTTP_REQUEST_TIMEOUT"
        ? [408, "Request Timeout"]
        : [400, "Bad Request"];
  const body = JSON.stringify({ type: "about:blank", title, status, detail: title });
  const headers = {
    ...SECURITY,
    connection: "close",
    "content-type": "application/problem+json",
    "content-length": Buffer.byteLength(body),
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  socket.end(`HTTP/1.1 ${status} ${title}\r\n${lines.join("\r\n")}\r\n\r\n${body}`);
}
