import { setTimeout as sleep } from "node:timers/promises";
import type { ConnectionOptions } from "nats";

const ANSWERS_WITHIN_MS = 10_000;
const RETRY_EVERY_MS = 500;

/** What a NATS_URL, one URL or a comma list of them, means to the NATS client. */
export function natsOptions(url: string): ConnectionOptions {
  const servers = url.split(",").map((part) => new URL(part));
  const [first] = servers;
  const user = decodeURIComponent(first?.username ?? "");
  const pass = decodeURIComponent(first?.password ?? "");
  return {
    servers: servers.map(({ host }) => host),
    ...(user && pass ? { user, pass } : user ? { token: user } : {}),
    ...(first?.protocol === "tls:" ? { tls: {} } : {}),
    timeout: 2_000,
    reconnectTimeWait: 250,
    pingInterval: 5_000,
    maxPingOut: 3,
  };
}

/**
 * Waits until NATS lets us in: Moleculer would try for ever, without a word to who waits for the start.
 * @throws a one-line error when it has not within 10 s
 */
export async function requireNats(url: string): Promise<void> {
  const { connect } = await import("nats");
  const options = natsOptions(url);
  const deadline = Date.now() + ANSWERS_WITHIN_MS;
  while (true) {
    try {
      await (await connect({ ...options, reconnect: false })).close();
      return;
    } catch (error) {
      const fault = Error.isError(error) ? error.message : String(error);
      if (Date.now() > deadline) throw new Error(`NATS_URL: ${options.servers}: ${fault}`);
    }
    await sleep(RETRY_EVERY_MS);
  }
}
