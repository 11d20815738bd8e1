import { connect, createServer, type Server, type Socket } from "node:net";
import { PassThrough, Transform } from "node:stream";

/** Stands between a client and a server, so that a test can cut the line while both live on. */
export class TcpProxy {
  readonly url: string;
  readonly #server: Server;
  readonly #sockets: Set<Socket>;
  #isCut = false;
  #swallows = false;

  private constructor(url: string, server: Server, sockets: Set<Socket>) {
    this.url = url;
    this.#server = server;
    this.#sockets = sockets;
    server.on("connection", (socket) => {
      if (this.#isCut) socket.destroy();
      if (this.#swallows) socket.unpipe().pause();
    });
  }

  /**
   * A proxy on a free port of this machine in front of the server that `target` names. `jitterMs`: one
   * message in ten takes up to so long, each way; none gets ahead of the one before it.
   */
  static async to(target: string, jitterMs = 0): Promise<TcpProxy> {
    const url = new URL(target);
    const sockets = new Set<Socket>();
    const track = (socket: Socket) => {
      sockets.add(socket);
      socket.on("error", () => {}).once("close", () => sockets.delete(socket));
    };
    const [host, port] = [url.hostname, Number(url.port)];
    const server = createServer((client) => {
      const upstream = connect(port, host);
      track(client);
      track(upstream);
      client.pipe(line(jitterMs)).pipe(upstream).pipe(line(jitterMs)).pipe(client);
      client.once("close", () => upstream.destroy());
      upstream.once("close", () => client.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    url.hostname = "127.0.0.1";
    url.port = String(typeof address === "object" ? address?.port : address);
    return new TcpProxy(url.href, server, sockets);
  }

  /** Ends every connection and refuses new ones. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  /** From now on nothing arrives, and nobody is told: neither on the connections that there are nor on new ones. */
  swallow(): void {
    this.#swallows = true;
    for (const socket of this.#sockets) socket.unpipe().pause();
  }

  /** Lets new connections through. Those that were swallowed stay so, as with a firewall that has forgotten them. */
  open(): void {
    this.#isCut = false;
    this.#swallows = false;
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise<void>((done) => this.#server.close(() => done()));
  }
}

function line(jitterMs: number): Transform {
  if (jitterMs === 0) return new PassThrough();
  return new Transform({
    transform(chunk, _, pass) {
      if (Math.random() < 0.1) setTimeout(pass, Math.random() * jitterMs, null, chunk);
      else pass(null, chunk);
    },
  });
}
