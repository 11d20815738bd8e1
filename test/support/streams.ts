import { randomUUID } from "node:crypto";
import { get, type IncomingMessage } from "node:http";
import { sql } from "../../mixins/shard-db/index.ts";
import { makeClientId, makeToken, parseToken } from "../../services/user/sessions/tokens.ts";
import { eventually, type Roost } from "./roost.ts";

/** One thing that a stream delivered. */
export interface Delivered {
  /** Of a server-sent event. */
  id?: string;
  event?: string;
  body: {
    data?: { id: string; text: string; author_id?: string };
    includes?: { users?: { id: string }[] };
    matching_rules?: { id: string; tag?: string }[];
    until_id?: string;
  };
}

/** A client that reads a stream, and can stop reading for a while. */
export class StreamReader {
  readonly delivered: Delivered[] = [];
  readonly headers: IncomingMessage["headers"];
  heartbeats = 0;
  ended = false;
  /** It was hung up on, rather than ended in order. */
  broken = false;
  readonly #response: IncomingMessage;

  private constructor(response: IncomingMessage) {
    this.#response = response;
    this.headers = response.headers;
    let rest = "";
    const parse = response.headers["content-type"]?.startsWith("text/event-stream") ? eventsIn : linesIn;
    response.setEncoding("utf8").on("data", (chunk: string) => {
      const found = parse(rest + chunk);
      rest = found.rest;
      this.heartbeats += found.heartbeats;
      this.delivered.push(...found.delivered);
    });
    response.once("close", () => {
      this.ended = true;
      this.broken = !response.complete;
    });
    response.on("error", () => {});
  }

  /** Opens a stream. Throws with the status where it is refused. */
  static open(url: string, token: string, headers: Record<string, string> = {}): Promise<StreamReader> {
    return new Promise((resolve, reject) => {
      const request = get(url, { headers: { authorization: `Bearer ${token}`, ...headers }, agent: false });
      request.once("error", reject).once("response", (response) => {
        if (response.statusCode === 200) resolve(new StreamReader(response));
        else {
          response.resume();
          reject(new Error(`${response.statusCode}`));
        }
      });
    });
  }

  get ids(): string[] {
    return this.delivered.flatMap(({ body }) => body.data?.id ?? []);
  }

  /** Waits until all of these were delivered. */
  async has(...ids: string[]): Promise<void> {
    await eventually(() => ids.every((id) => this.ids.includes(id)), `delivery of ${ids.length} tweets`);
  }

  pause(): void {
    this.#response.pause();
  }

  resume(): void {
    this.#response.resume();
  }

  close(): void {
    this.#response.destroy();
  }
}

interface Found {
  delivered: Delivered[];
  heartbeats: number;
  rest: string;
}

function linesIn(text: string): Found {
  const lines = text.split("\r\n");
  const rest = lines.pop() ?? "";
  const delivered = lines
    .filter((line) => line !== "")
    .map((line): Delivered => ({ body: JSON.parse(line) }));
  return { delivered, heartbeats: lines.length - delivered.length, rest };
}

function eventsIn(text: string): Found {
  const blocks = text.split("\n\n");
  const rest = blocks.pop() ?? "";
  const events = blocks.map((block) =>
    Object.fromEntries(
      block.split("\n").map((line) => {
        const at = line.indexOf(":");
        return [line.slice(0, at), line.slice(at + 1).trim()];
      }),
    ),
  );
  const delivered = events
    .filter(({ data }) => data !== undefined)
    .map(({ id, event, data }): Delivered => ({ id, event, body: JSON.parse(data ?? "") }));
  return { delivered, heartbeats: events.length - delivered.length, rest };
}

/** The token of an app that asks for nobody but itself. */
export async function appOnlyToken(roost: Roost, bucket = 7): Promise<{ clientId: string; token: string }> {
  const clientId = makeClientId(bucket);
  const token = makeToken("access", bucket);
  const hash = parseToken("access", token)?.hash ?? "";
  await roost.resources.db.write(
    { bucket },
    sql`INSERT INTO sessions (bucket, id, client_id, access_hash, access_expires)
        VALUES (${bucket}, ${randomUUID()}, ${clientId}, ${Buffer.from(hash, "base64url")}, now() + interval '1 hour')`,
  );
  return { clientId, token };
}
