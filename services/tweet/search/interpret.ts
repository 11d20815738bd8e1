import type { SearchDocument } from "./document.ts";
import type { Query } from "./query.ts";

/** A query whose users' names have become ids. Throws where one has not. */
const unresolved = (username: string) => new Error(`the id of ${username} was not put in`);

/**
 * A query as the text of a Postgres `tsquery`, to be passed as a parameter and matched against `tweets.search`. Its users
 * have ids (`withUserIds`). Pure.
 */
export function tsqueryOf(query: Query): string {
  switch (query.type) {
    case "and":
      return `(${query.parts.map(tsqueryOf).join(" & ")})`;
    case "or":
      return `(${query.parts.map(tsqueryOf).join(" | ")})`;
    case "not":
      return `!${tsqueryOf(query.part)}`;
    case "words":
      return `(${query.tokens.map(quoted).join(" <-> ")})`;
    case "term":
      return quoted(query.term);
    default:
      throw unresolved(query.username);
  }
}

const NOWHERE: ReadonlySet<number> = new Set();
const quoted = (lexeme: string) => `'${lexeme.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;

/** Whether a query matches a tweet's document: what `tsqueryOf` has Postgres answer. Pure. */
export function matches(query: Query, document: SearchDocument): boolean {
  switch (query.type) {
    case "and":
      return query.parts.every((part) => matches(part, document));
    case "or":
      return query.parts.some((part) => matches(part, document));
    case "not":
      return !matches(query.part, document);
    case "words":
      return standsIn(document, query.tokens);
    case "term":
      return document.has(query.term);
    default:
      throw unresolved(query.username);
  }
}

/** Whether some tokens stand side by side somewhere; looked for around the rarest of them. */
function standsIn(document: SearchDocument, tokens: readonly string[]): boolean {
  const all = tokens.map((token) => document.get(token) ?? NOWHERE);
  const rarest = all.reduce((best, places) => (places.size < best.size ? places : best), all[0] ?? NOWHERE);
  const before = all.indexOf(rarest);
  return [...rarest].some((place) => all.every((places, i) => places.has(place - before + i)));
}
