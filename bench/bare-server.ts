import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";

/** A process with a bare node:http server that gives every request the same answer. */
export interface BareServer {
  port: number;
  stop(): void;
}

/** Starts one whose answer is this JSON text. */
export async function startBareServer(json: string): Promise<BareServer> {
  const child: ChildProcess = fork(import.meta.filename, [json]);
  // The cast: serve() below sends its port.
  const [port] = (await once(child, "message")) as [number];
  return { port, stop: () => void child.kill() };
}

function serve(json: string): void {
  const body = Buffer.from(json);
  const headers = { "content-type": "application/json; charset=utf-8", "content-length": body.length };
  const server = createServer((_, response) => {
    response.writeHead(200, headers);
    response.end(body);
  });
  server.listen(0, "127.0.0.1", () => {
    const address = server.address();
    process.send?.(typeof address === "object" ? address?.port : undefined);
  });
  process.on("disconnect", () => process.exit());
}

const [, file, json] = process.argv;
if (file === import.meta.filename && json !== undefined) serve(json);
