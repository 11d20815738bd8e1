import { timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import type { Stack } from "../types.ts";
import { type Answer, parseCommandLine } from "./commands.ts";

/** A line of what the launcher answers to a command. The last one is the answer or the error. */
export type Reply = { line: string } | { answer: Answer } | { error: string };

/**
 * Has the launcher take commands from whoever knows the secret: the body of a POST is a JSON list of arguments, the reply
 * is lines of JSON (`Reply`), sent as things happen. Resolves with the way to stop it.
 */
export async function takeCommands(
  stack: Stack,
  { port, secret }: { port: number; secret: string },
): Promise<() => void> {
  const server = createServer((request, response) => {
    void answer(request, response, stack, secret).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, host: "127.0.0.1" }, resolve);
  });
  server.unref();
  return () => {
    server.close();
    server.closeAllConnections();
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  stack: Stack,
  secret: string,
): Promise<void> {
  if (!isSame(request.headers.authorization ?? "", `Bearer ${secret}`)) {
    response.writeHead(401).end();
    return;
  }
  response.writeHead(200, { "content-type": "application/x-ndjson" });
  const reply = (each: Reply) => response.write(`${JSON.stringify(each)}\n`);
  try {
    const { command } = parseCommandLine(argumentsOf(await text(request)));
    reply({ answer: (await command?.perform(stack, (line) => reply({ line }))) ?? {} });
  } catch (error) {
    reply({ error: Error.isError(error) ? error.message : String(error) });
  }
  response.end();
}

function argumentsOf(body: string): string[] {
  const parsed: unknown = JSON.parse(body);
  if (!Array.isArray(parsed)) throw new Error("expected a list of arguments");
  return parsed.map(String);
}

function isSame(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}
