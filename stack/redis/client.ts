import { Redis } from "ioredis";

/** Runs `use` on a connection of its own that neither retries nor queues: a failure is an answer here. */
export async function withRedis<T>(
  server: { port: number; password: string },
  use: (client: Redis) => Promise<T>,
): Promise<T> {
  const client = new Redis({
    host: "127.0.0.1",
    port: server.port,
    password: server.password,
    lazyConnect: true,
    connectTimeout: 2_000,
    commandTimeout: 5_000,
    maxRetriesPerRequest: 0,
    enableReadyCheck: false,
    retryStrategy: () => null,
  });
  // Errors reach the caller through the promises; without a listener ioredis prints them.
  client.on("error", () => {});
  try {
    await client.connect();
    return await use(client);
  } finally {
    client.disconnect();
  }
}

/** Whether the server answers PING. */
export async function answersPing(server: { port: number; password: string }): Promise<boolean> {
  try {
    return (await withRedis(server, (client) => client.ping())) === "PONG";
  } catch {
    return false;
  }
}

/**
 * Asks again and again until `holds` says true; an answer that fails is none yet.
 * @throws `message` when it has not within 30 s, with the last failure as its cause
 */
export async function waitUntil(message: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 30_000;
  let cause: unknown;
  for (;;) {
    try {
      if (await holds()) return;
    } catch (error) {
      cause = error;
    }
    if (Date.now() > deadline) throw new Error(message, { cause });
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
