import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { drive, type HttpJob, type JobResult } from "./jobs.ts";

const END_OF_HEADERS = Buffer.from("\r\n\r\n");

/**
 * Runs an HttpJob on bare sockets: an HTTP library would cost more than the server that is measured.
 * @throws at the first answer that is not 2xx
 */
export async function runHttp({ port, connections, seconds, requests }: HttpJob): Promise<JobResult> {
  const wires = requests.map((request) => Buffer.from(request));
  const lanes = await Promise.all(Array.from({ length: connections }, () => Lane.open(port)));
  try {
    return await drive(connections, seconds, async (number) => {
      const wire = wires[Math.floor(Math.random() * wires.length)];
      if (wire === undefined) throw new RangeError("no requests");
      await lanes[number]?.send(wire);
      return 1;
    });
  } finally {
    for (const lane of lanes) lane.close();
  }
}

/** One kept-alive connection: a request at a time, answers with a Content-Length. */
class Lane {
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #answer = Promise.withResolvers<void>();

  static async open(port: number): Promise<Lane> {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    await once(socket, "connect");
    return new Lane(socket);
  }

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk) => {
      try {
        this.#take(chunk);
      } catch (error) {
        this.#answer.reject(error);
      }
    });
    socket.on("error", (error) => this.#answer.reject(error));
    socket.on("close", () => this.#answer.reject(new Error("the server closed the connection")));
  }

  send(wire: Buffer): Promise<void> {
    this.#answer = Promise.withResolvers();
    this.#socket.write(wire);
    return this.#answer.promise;
  }

  close(): void {
    // Nobody waits for an answer any more.
    this.#answer.promise.catch(() => {});
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const headersEnd = this.#received.indexOf(END_OF_HEADERS);
    if (headersEnd < 0) return;
    const headers = this.#received.toString("latin1", 0, headersEnd);
    const length = /\r\ncontent-length: *(\d+)/i.exec(headers)?.[1];
    if (length === undefined) throw new Error(`no Content-Length: ${headers}`);
    const answerEnd = headersEnd + END_OF_HEADERS.length + Number(length);
    if (this.#received.length < answerEnd) return;
    if (!headers.startsWith("2", "HTTP/1.1 ".length))
      throw new Error(this.#received.toString("utf8", 0, answerEnd));
    this.#received = this.#received.subarray(answerEnd);
    this.#answer.resolve();
  }
}
