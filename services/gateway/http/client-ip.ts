import { isIP } from "node:net";

/** What is needed of an incoming request. */
export interface AddressedRequest {
  headers: Record<string, string | string[] | undefined>;
  socket: { remoteAddress?: string };
}

/**
 * The address that a client is limited by. `X-Forwarded-For` is believed only for the entries that the `trusted`
 * proxies in front of us wrote: counted from the right. IPv6 addresses count by their /64, which one host commonly has
 * to itself.
 */
export function clientIp(request: AddressedRequest, trusted: number): string {
  const peer = request.socket.remoteAddress ?? "unknown";
  if (trusted === 0) return limitedAs(peer);
  const header = request.headers["x-forwarded-for"] ?? "";
  const hops = String(header)
    .split(",")
    .map((hop) => bare(hop.trim()))
    .filter((hop) => hop !== "");
  const chain = [...hops, peer];
  // A chain that is shorter than the proxies we trust starts with the first of them.
  const claimed = chain[Math.max(0, chain.length - 1 - trusted)] ?? peer;
  return isIP(claimed) ? limitedAs(claimed) : limitedAs(peer);
}

/** Without the port and brackets that some proxies add. */
function bare(hop: string): string {
  return /^\[([^\]]+)\](:\d+)?$/.exec(hop)?.[1] ?? /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(hop)?.[1] ?? hop;
}

/** IPv4 as it is, IPv6 as its first 64 bits. */
export function limitedAs(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped) return mapped;
  if (isIP(address) !== 6) return address;
  const [head = "", tail] = address.replace(/%.*$/, "").toLowerCase().split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length);
  const groups = [...left, ...new Array<string>(zeros).fill("0"), ...right];
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ""))
    .join(":")}::/64`;
}
