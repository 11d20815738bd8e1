import { createServer, type IncomingMessage, request } from "node:http";
import type { AddressInfo } from "node:net";
import { type Context, ServiceBroker } from "moleculer";
import { Metrics } from "../../mixins/metrics.ts";
import type { ActionName, ParamsOf, ResultOf } from "../../services/contracts/actions.ts";
import type { Meta } from "../../services/contracts/context.ts";
import type { Streaming } from "../../services/gateway/endpoint.ts";
import { shape } from "../../services/gateway/fields.ts";
import { TWEET_VIEW } from "../../services/gateway/present/tweets.ts";
import { JSON_LINES, type Outlet } from "../../services/gateway/streams/outlet.ts";
import { type LiveStream, Streams } from "../../services/gateway/streams/streams.ts";

export type Answers = {
  [A in ActionName]?: (params: ParamsOf<A>, meta: Meta) => ResultOf<A> | Promise<ResultOf<A>>;
};

/** What a stream shows of tweets where nothing is asked for. */
export const PLAIN = shape(TWEET_VIEW).parse({});

/** Streams over HTTP, of services that answer what the test says; it counts what they are asked. */
export class StreamBench {
  readonly calls: { action: string; params: unknown; meta: Meta }[] = [];
  readonly streams: Streams;
  readonly #broker = new ServiceBroker({ logger: false });
  readonly #metrics = new Metrics();
  readonly #server = createServer();
  #clients: ReturnType<typeof request>[] = [];

  constructor(answers: Answers) {
    const actions = Object.entries(answers).map(([action, answer]) => [
      action,
      (ctx: Context) => {
        this.calls.push({ action, params: ctx.params, meta: ctx.meta });
        return Reflect.apply(answer, undefined, [ctx.params, ctx.meta]);
      },
    ]);
    this.#broker.createService({
      name: "stubs",
      settings: { $noServiceNamePrefix: true },
      actions: Object.fromEntries(actions),
    });
    this.streams = new Streams(this.#broker, this.#metrics);
  }

  async start(): Promise<this> {
    await this.#broker.start();
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return this;
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.destroy();
    await this.streams.stop();
    await new Promise((resolve) => this.#server.close(resolve));
    await this.#broker.stop();
  }

  /** How often an action has been called. */
  count(action: ActionName): number {
    return this.calls.filter((call) => call.action === action).length;
  }

  /**
   * A client opens a stream. `leave` hangs up and resolves once the server knows; `served` settles as `serve` does; `sent`
   * grows with what is delivered.
   */
  open(meta: Meta, make: (stream: Streaming, outlet: Outlet) => Promise<LiveStream>) {
    const served = Promise.withResolvers<void>();
    const closed = Promise.withResolvers<void>();
    const text = { sent: "" };
    const path = `/${this.#clients.length}`;
    this.#server.on("request", (incoming, response) => {
      if (incoming.url !== path) return;
      response.once("close", closed.resolve);
      const stream: Streaming = { meta, streams: this.streams, inItsWords: (answer) => answer };
      const opening = { meta, format: JSON_LINES, stillStands: async () => true };
      this.streams
        .serve({ request: incoming, response }, opening, (outlet) => make(stream, outlet))
        .then(served.resolve, (error) => {
          response.destroy();
          served.reject(error);
        });
    });
    const { port } = this.#server.address() as AddressInfo; // it listens on a port
    const client = request({ host: "127.0.0.1", port, path, agent: false });
    this.#clients.push(client);
    client.on("error", () => {});
    client.on("response", (response: IncomingMessage) => {
      response.on("error", () => {});
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text.sent += chunk;
      });
    });
    client.end();
    const leave = () => {
      client.destroy();
      return closed.promise;
    };
    return { served: served.promise, leave, text };
  }
}
