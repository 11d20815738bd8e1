import { fieldError, invalidRequest } from "../problem.ts";

/**
 * Parses a query string: every name once, valid percent-encoding. The result has no prototype, so that a name like
 * `__proto__` is a name. Throws 400 naming the parameter.
 */
export function parseQuery(raw: string): Record<string, unknown> {
  const query: Record<string, unknown> = Object.create(null);
  if (raw === "") return query;
  for (const pair of raw.split("&")) {
    if (pair === "") continue;
    const at = pair.indexOf("=");
    const name = decode(at < 0 ? pair : pair.slice(0, at), "query");
    const value = at < 0 ? "" : decode(pair.slice(at + 1), name);
    if (name in query) throw invalidRequest([fieldError(name, value, "is given twice")]);
    query[name] = value;
  }
  return query;
}

/** Decodes one segment of a path. Throws 400 naming the parameter. */
export function decodeSegment(raw: string, name: string): string {
  return raw.includes("%") ? percentDecode(raw, name) : raw;
}

function decode(raw: string, name: string): string {
  const spaced = raw.includes("+") ? raw.replaceAll("+", " ") : raw;
  return spaced.includes("%") ? percentDecode(spaced, name) : spaced;
}

function percentDecode(raw: string, name: string): string {
  try {
    return decodeURIComponent(raw);
  } catch {
    throw invalidRequest([fieldError(name, raw, "is not valid percent-encoded UTF-8")]);
  }
}
