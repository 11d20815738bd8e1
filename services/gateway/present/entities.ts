import type { TweetEntities } from "../../contracts/tweets.ts";

/** What RFC 3986 lets stand in a URL behind its scheme; one `#` at most. */
const URI = /^https?:\/\/[\w\-.~:/?@!$&'()*+,;=%]+(?:#[\w\-.~:/?@!$&'()*+,;=%]*)?$/i;
const STRAY = /%(?![0-9a-f]{2})/i;

/** Entities as the X API has them: every URL is a URI, also where the text has it without a scheme or in other letters. Pure. */
export function presentEntities(entities: TweetEntities): TweetEntities {
  if (!entities.urls) return entities;
  const urls = entities.urls.map(({ url, expanded_url, ...rest }) => ({
    ...rest,
    url: isUri(url) ? url : uriOf(expanded_url),
    expanded_url: uriOf(expanded_url),
  }));
  return { ...entities, urls };
}

/** A web address as a URI; it has a scheme. */
function uriOf(address: string): string {
  if (isUri(address)) return address;
  const { href } = URL.parse(address) ?? { href: address };
  const [path = "", ...fragment] = href.split("#").map(encoded);
  return fragment.length > 0 ? `${path}#${fragment.join("%23")}` : path;
}

function isUri(address: string): boolean {
  return URI.test(address) && !STRAY.test(address);
}

function encoded(part: string): string {
  const escaped = part.toWellFormed().replace(/[^\w\-.~:/?@!$&'()*+,;=%]/gu, encodeURIComponent);
  return escaped.replaceAll(new RegExp(STRAY, "gi"), "%25");
}
