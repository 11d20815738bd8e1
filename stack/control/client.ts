import { type IncomingMessage, request } from "node:http";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { runningOwner } from "../lock.ts";
import { loadState } from "../state.ts";
import type { Answer } from "./commands.ts";
import type { Reply } from "./server.ts";

/**
 * Has the launcher that holds a data directory carry out a command line, and resolves with its answer. `onLine` is told
 * what it says meanwhile.
 * @throws the launcher's error, or a one-line error where no stack runs there
 */
export async function send(dataDir: string, args: string[], onLine: (line: string) => void): Promise<Answer> {
  const directory = resolve(dataDir);
  const state = loadState(directory);
  const port = state?.ports.control;
  if (state === undefined || port === undefined || runningOwner(directory) === undefined)
    throw new Error(`no stack runs on ${directory}: start one with npm start, or name another with --data`);
  const response = await post(port, state.secrets.control, JSON.stringify(args)).catch((error: Error) => {
    throw new Error(`the stack on ${directory} takes no commands: ${error.message}`);
  });
  if (response.statusCode !== 200)
    throw new Error(`the stack on ${directory} takes no commands: HTTP ${response.statusCode}`);
  for await (const text of lines(response)) {
    // The cast: only the launcher knows the secret.
    const reply = JSON.parse(text) as Reply;
    if ("line" in reply) onLine(reply.line);
    else if ("error" in reply) throw new Error(reply.error);
    else return reply.answer;
  }
  throw new Error(`the stack on ${directory} has ended meanwhile: npm start puts in order what it was at`);
}

/** The lines that came; where the other side ends, however, there are no more. */
async function* lines(response: IncomingMessage): AsyncGenerator<string> {
  try {
    yield* createInterface({ input: response });
  } catch {}
}

function post(port: number, secret: string, body: string): Promise<IncomingMessage> {
  return new Promise((done, reject) => {
    const headers = { authorization: `Bearer ${secret}` };
    request({ host: "127.0.0.1", port, method: "POST", headers }, done).once("error", reject).end(body);
  });
}
