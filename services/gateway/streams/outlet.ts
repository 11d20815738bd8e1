import type { ServerResponse } from "node:http";
import { limits } from "../../../config/limits.ts";
import { startStream } from "../reply.ts";

/** How a stream looks on the wire. */
export interface StreamFormat {
  contentType: string;
  /** What is sent first, and where nothing else is. */
  heartbeat: string;
}

/** Lines of JSON, as the X API streams. */
export const JSON_LINES: StreamFormat = { contentType: "application/json; charset=utf-8", heartbeat: "\r\n" };
/** Server-sent events (WHATWG HTML, section 9.2). */
export const SERVER_SENT_EVENTS: StreamFormat = {
  contentType: "text/event-stream; charset=utf-8",
  heartbeat: ":\n\n",
};

/**
 * A response that goes on until one side ends it. It sends heartbeats, and hangs up on a reader for whom more than
 * `limits.streams.bufferBytes` waits: what is not read in time is not kept.
 */
export class Outlet {
  readonly #response: ServerResponse;
  readonly #heartbeat: string;
  readonly #closed = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  /** Whether it hung up on a slow reader. */
  dropped = false;

  constructor(response: ServerResponse, { heartbeat }: StreamFormat) {
    this.#response = response;
    this.#heartbeat = heartbeat;
    response.once("close", () => {
      clearInterval(this.#timer);
      this.#closed.abort();
    });
    // A reader that has gone is no news: "close" follows.
    response.on("error", () => {});
    if (response.destroyed) this.#closed.abort();
  }

  /** Aborted once the stream has ended, whoever ended it. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /** Sends the headers and the first heartbeat. */
  open(contentType: string): void {
    if (this.closed.aborted) return;
    startStream(this.#response, contentType);
    this.send(this.#heartbeat);
    this.#timer = setInterval(() => this.send(this.#heartbeat), limits.streams.heartbeatMs);
  }

  send(text: string): void {
    if (this.closed.aborted || this.#response.writableEnded) return;
    this.#response.write(text);
    this.#timer?.refresh();
    if (this.#response.writableLength > limits.streams.bufferBytes) this.drop();
  }

  /** Hangs up on a reader that is too slow. */
  drop(): void {
    this.dropped = true;
    this.#response.destroy();
  }

  /** Ends the stream in order. */
  end(): void {
    clearInterval(this.#timer);
    this.#response.end();
  }
}
