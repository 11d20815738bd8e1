import { Redis } from "ioredis";
import type { RedisAddress } from "./address.ts";

const ASK_WITHIN_MS = 500;

/**
 * Whether most sentinels name the server that `client` is connected to as the master. False where it is another, where too
 * few answer, or where the connection is gone.
 */
export async function masterInCharge(address: RedisAddress, client: Redis): Promise<boolean> {
  const { remoteAddress, remotePort } = client.stream ?? {};
  const { name } = address;
  if (!remoteAddress || !name) return false;
  const answers = await Promise.all(address.nodes.map((node) => askSentinel({ ...node, address, name })));
  const agreeing = answers.filter(
    (answer) => answer?.[0] === remoteAddress && Number(answer[1]) === remotePort,
  );
  return agreeing.length > address.nodes.length / 2;
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
