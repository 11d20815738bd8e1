import type { IncomingMessage, ServerResponse } from "node:http";
import type { ServiceBroker } from "moleculer";
import { limits } from "../../../config/limits.ts";
import { Gate } from "../../../mixins/gate.ts";
import type { Metrics } from "../../../mixins/metrics.ts";
import { Periodic } from "../../../mixins/periodic.ts";
import type { Meta } from "../../contracts/context.ts";
import type { EventMap } from "../../contracts/events.ts";
import type { Id } from "../../contracts/users.ts";
import { ownerOf } from "../../tweet/stream/owner.ts";
import { startStream } from "../http/reply.ts";
import { type Calls, callsOn } from "./calls.ts";
import { Connections } from "./connections.ts";
import { Feed } from "./feed.ts";
import { Outlet, type StreamFormat } from "./outlet.ts";
import { RuleSets } from "./rule-set.ts";

/** A stream that has begun, and what it wants to be told. */
export interface LiveStream {
  /** Its headers are out: it may send. */
  begin(): void;
  /** The user who streams follows somebody else than before. */
  followed?(): void;
}

/** Of a request that opens a stream. */
interface Opening {
  meta: Meta;
  format: StreamFormat;
  /** Whether its access token still stands. */
  stillStands(): Promise<boolean>;
}

/** The streams of this process: their connections, and the one feed behind them. */
export class Streams {
  readonly call: Calls;
  readonly feed: Feed;
  readonly rules: RuleSets;
  /** What streams missed is searched for beside what others search for, not before it. */
  readonly backfills = new Gate("Backfill", limits.streams.backfills);
  readonly #connections = new Connections();
  readonly #live = new Map<LiveStream, Id | undefined>();
  readonly #metrics: Metrics;

  constructor(broker: ServiceBroker, metrics: Metrics) {
    this.call = callsOn(broker);
    this.feed = new Feed(this.call);
    this.rules = new RuleSets(this.call);
    this.#metrics = metrics;
    metrics.onScrape(() => metrics.streams.set(this.#connections.count));
  }

  /**
   * Opens a stream and keeps it until it is closed, its token ends or the process stops. Resolves once it has begun, or was
   * abandoned. Throws 429 or 503 where there are too many, and what `open` throws.
   */
  async serve(
    { request, response }: { request: IncomingMessage; response: ServerResponse },
    { meta, format, stillStands }: Opening,
    open: (outlet: Outlet) => Promise<LiveStream>,
  ): Promise<void> {
    if (request.method === "HEAD") {
      startStream(response, format.contentType);
      response.end();
      return;
    }
    const { key: owner } = ownerOf({ meta });
    const outlet = new Outlet(response, format);
    const live = await this.#connections.add(owner, outlet, () => open(outlet));
    // Whoever left meanwhile has stopped it already, and nothing would stop it again.
    if (outlet.closed) return;
    const recheck = new Periodic(limits.streams.recheckMs, async () => {
      if (!(await stillStands())) outlet.end();
    });
    this.#live.set(live, meta.viewer?.userId);
    recheck.start();
    outlet.onClosed(() => {
      void recheck.stop();
      this.#live.delete(live);
      if (outlet.dropped) this.#metrics.streamsDropped.inc();
    });
    outlet.open();
    live.begin();
  }

  /** What other nodes tell. */
  get events() {
    return {
      "outbox.ready": ({ params }: { params: EventMap["outbox.ready"] }) => {
        if (params.kinds.includes("tweet")) this.feed.nudge();
      },
      "stream.rules": ({ params }: { params: EventMap["stream.rules"] }) => {
        this.rules.changed(params.owner);
      },
      "graph.followed": ({ params }: { params: EventMap["graph.followed"] }) => {
        for (const [live, userId] of this.#live) if (userId === params.user_id) live.followed?.();
      },
    };
  }

  /** Ends all streams, in order. */
  async stop(): Promise<void> {
    this.#connections.close();
    await this.feed.stop();
  }
}
