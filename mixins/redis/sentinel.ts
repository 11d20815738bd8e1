import { lookup } from "node:dns/promises";
import { Redis } from "ioredis";
import type { RedisAddress } from "./address.ts";

const ASK_WITHIN_MS = 500;

/** What the sentinels say of a server; "unknown" where most of them do not answer, or the connection is gone. */
export type Charge = "in charge" | "deposed" | "unknown";

/** Whether the server that `client` is connected to is the master: most sentinels must say so, and none name another. */
export async function chargeOf(address: RedisAddress, client: Redis): Promise<Charge> {
  const { remoteAddress, remotePort } = client.stream ?? {};
  const { name } = address;
  if (!remoteAddress || !name) return "unknown";
  const answers = await Promise.all(
    address.nodes.map(async (node) => {
      const [host, port] = (await askSentinel({ ...node, address, name })) ?? [];
      if (host === undefined) return undefined;
      return Number(port) === remotePort && (await isAddressOf(host, remoteAddress));
    }),
  );
  if (answers.includes(false)) return "deposed";
  return answers.filter((same) => same).length > address.nodes.length / 2 ? "in charge" : "unknown";
}

/** A sentinel may name hosts as well as addresses. */
async function isAddressOf(host: string, address: string): Promise<boolean> {
  const found = await lookup(host, { all: true }).catch(() => []);
  return found.some((each) => each.address === address);
}

async function askSentinel(of: {
  host: string;
  port: number;
  address: RedisAddress;
  name: string;
}): Promise<string[] | undefined> {
  const { host, port, address, name } = of;
  const sentinel = new Redis({
    host,
    port,
    password: address.password,
    tls: address.tls ? {} : undefined,
    lazyConnect: true,
    connectTimeout: ASK_WITHIN_MS,
    commandTimeout: ASK_WITHIN_MS,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  sentinel.on("error", () => {});
  try {
    await sentinel.connect();
    const answer = await sentinel.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name);
    return Array.isArray(answer) ? answer.map(String) : undefined;
  } catch {
    return undefined;
  } finally {
    sentinel.disconnect();
  }
}
