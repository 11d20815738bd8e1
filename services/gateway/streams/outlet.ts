import type { ServerResponse } from "node:http";
import { limits } from "../../../config/limits.ts";
import { startStream } from "../http/reply.ts";

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
  readonly #format: StreamFormat;
  readonly #closed = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  /** Whether it hung up on a slow reader. */
  dropped = false;

  constructor(response: ServerResponse, format: StreamFormat) {
    this.#response = response;
    this.#format = format;
    response.once("close", () => {
      clearInterval(this.#timer);
      this.#closed.abort();
    });
    // A reader that has gone is no news: "close" follows.
    response.on("error", () => {});
    if (response.destroyed) this.#closed.abort();
  }

  /** Whether the stream has ended, whoever ended it. */
  get closed(): boolean {
    return this.#closed.signal.aborted;
  }

  /** Runs `work` once the stream has ended; at once where it has. */
  onClosed(work: () => void): void {
    if (this.closed) work();
    else this.#closed.signal.addEventListener("abort", work);
  }

  /** Sends the headers and the first heartbeat. */
  open(): void {
    if (this.closed) return;
    const { contentType, heartbeat } = this.#format;
    startStream(this.#response, contentType);
    this.send(heartbeat);
    this.#timer = setInterval(() => this.send(heartbeat), limits.streams.heartbeatMs);
  }

  send(text: string): void {
    if (this.closed || this.#response.writableEnded) return;
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
