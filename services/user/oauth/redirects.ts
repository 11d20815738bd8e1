/** Schemes that a browser runs or reads by itself: never an app's own. */
const NO_APP = new Set([
  "javascript:",
  "data:",
  "vbscript:",
  "file:",
  "blob:",
  "about:",
  "ws:",
  "wss:",
  "ftp:",
]);
/** As it may stand in a Content-Security-Policy, where a parser of URLs lets through more: ";" and "," among others. */
const HOST = /^(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])$/;
const LOOPBACK = new Set(["127.0.0.1", "[::1]", "localhost"]);

/**
 * What is wrong with an address that an app wants people to be sent back to; undefined where nothing is. It may be https,
 * http on the loopback interface (RFC 8252, section 7.3) or a scheme of the app's own (section 7.1). Pure.
 */
export function redirectFault(uri: string): string | undefined {
  if (!/^[\x21-\x7e]{1,2000}$/.test(uri) || !URL.canParse(uri)) return "must be an absolute URI";
  const { protocol, hostname, username, password } = new URL(uri);
  if (uri.includes("#")) return "must have no fragment";
  if (username || password) return "must have no user name or password";
  if (protocol === "http:" && !LOOPBACK.has(hostname))
    return "must be https, except on the loopback interface";
  if (protocol === "https:" && !HOST.test(hostname))
    return "must have a host of letters, digits, dots and hyphens";
  if (NO_APP.has(protocol)) return `must not be ${protocol}`;
  return undefined;
}

/**
 * Whether an address is one of those that an app registered: the very same text, save that on the loopback interface, by
 * its number, any port will do (RFC 8252, section 7.3). Pure.
 */
export function isRegistered(uri: string, registered: readonly string[]): boolean {
  if (!URL.canParse(uri)) return false;
  return registered.some(
    (known) => known === uri || (portless(known) !== undefined && portless(known) === portless(uri)),
  );
}

/** A loopback address without its port; undefined for any other. */
function portless(uri: string): string | undefined {
  return /^http:\/\/(?:127\.0\.0\.1|\[::1\])(?::\d{1,5})?(?=[/?]|$)/.test(uri)
    ? uri.replace(/^(http:\/\/(?:127\.0\.0\.1|\[::1\])):\d{1,5}/, "$1")
    : undefined;
}

/** An address with further parameters in its query; what it had stays. Pure. */
export function withParameters(uri: string, parameters: Record<string, string | undefined>): string {
  const url = new URL(uri);
  for (const [name, value] of Object.entries(parameters)) if (value) url.searchParams.set(name, value);
  return url.href;
}

/** Where a form may lead whose answer is a redirect to `uri`, as a source of Content-Security-Policy. Pure. */
export function formTarget(uri: string): string {
  const { protocol, origin } = new URL(uri);
  return origin === "null" ? protocol : origin;
}
