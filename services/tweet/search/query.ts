import { readFileSync } from "node:fs";
import peggy, { type parser } from "peggy";
import { limits } from "../../../config/limits.ts";
import { isId } from "../../../mixins/shard-db/ids.ts";
import type { Id } from "../../contracts/users.ts";
import { idUnder } from "../../user/handles.ts";
import { term } from "./document.ts";
import { lexeme, tokens } from "./tokens.ts";

/** A parsed query. What a user is called stays open until `withUserIds`. */
export type Query =
  | { type: "and" | "or"; parts: Query[] }
  | { type: "not"; part: Query }
  /** Tokens that stand side by side. */
  | { type: "words"; tokens: string[] }
  /** A term of a document. `narrow`: few tweets have it, so an index finds them. */
  | { type: "term"; term: string; narrow: boolean }
  /** A username in lower case, and what term its id makes. */
  | { type: "user"; username: string; termOf: (id: Id) => string };

/** What the grammar makes of a query. */
type Raw =
  | { type: "and" | "or"; parts: Raw[] }
  | { type: "not"; part: Raw }
  | { type: "words"; text: string; column: number }
  | { type: "operator"; name: string; value: string; column: number };
type RawOperator = Extract<Raw, { type: "operator" }>;

/** A query that says nothing that could be searched for. `message` names the column where it is at fault. */
export class QueryError extends Error {
  override name = "QueryError";
}

const grammar = peggy.generate(readFileSync(new URL("./query.peggy", import.meta.url), "utf8"));

/**
 * Reads a query of the X API's search language. Throws QueryError: for what is not in the language, for an operator's
 * value that cannot be, and where nothing in it narrows the search down.
 */
export function parseQuery(text: string): Query {
  const query = toQuery(parseRaw(text));
  if (!isNarrow(query)) {
    throw new QueryError(
      "needs a word, phrase, #hashtag, @mention, url:, from:, to: or the like that is not negated, in every alternative of an OR: " +
        "is:, has:, lang: and what is negated only narrow such a search down",
    );
  }
  return query;
}

/** The usernames, in lower case, whose ids a query needs. Pure. */
export function usernamesIn(query: Query): string[] {
  if (query.type === "user") return [query.username];
  if (query.type === "not") return usernamesIn(query.part);
  return "parts" in query ? [...new Set(query.parts.flatMap(usernamesIn))] : [];
}

/** Nobody's id, so that who does not exist has written nothing. */
const NOBODY = "0";

/** Puts the ids of users into their places; `ids` maps lower-case usernames to those that exist. Pure. */
export function withUserIds(query: Query, ids: Record<string, Id>): Query {
  if (query.type === "user")
    return { type: "term", term: query.termOf(idUnder(ids, query.username) ?? NOBODY), narrow: true };
  if (query.type === "not") return { type: "not", part: withUserIds(query.part, ids) };
  if (!("parts" in query)) return query;
  return { type: query.type, parts: query.parts.map((part) => withUserIds(part, ids)) };
}

function parseRaw(text: string): Raw {
  if (text.trim() === "") throw new QueryError("is empty");
  try {
    return grammar.parse(text, { maxDepth: limits.search.depth }) as Raw; // the actions of the grammar make nothing else
  } catch (error) {
    if (error instanceof grammar.SyntaxError) throw new QueryError(explain(error));
    throw error;
  }
}

/** What the parser says, as a person would. */
function explain({ message, expected, found, location }: parser.SyntaxError): string {
  const column = location.start.offset + 1;
  if (!expected) return `at column ${column}: ${message}`;
  const wanted = new Set(expected.flatMap(nameOf));
  const list = ["a word", "a phrase in quotation marks", "an operator", '"("', '")"', "the end"].filter(
    (name) => wanted.delete(name),
  );
  const names = [...list, ...wanted];
  const last = names.pop();
  const all = names.length > 0 ? `${names.join(", ")} or ${last}` : last;
  return `at column ${column}: expected ${all}, but ${found ? `found "${found}"` : "the query ends here"}`;
}

/** Spaces may stand anywhere, and what can begin a word goes without saying. */
function nameOf(expected: parser.Expectation): string[] {
  switch (expected.type) {
    case "other":
      return expected.description === "a space" ? [] : [expected.description];
    case "literal":
      return ["-", "@", "$", ":"].includes(expected.text) ? [] : [`"${expected.text}"`];
    case "end":
      return ["the end"];
    default:
      return [];
  }
}

function toQuery(raw: Raw): Query {
  switch (raw.type) {
    case "words":
      return phrase(tokensAt(raw.text, raw.column), raw.column);
    case "operator":
      return operatorQuery(raw);
    case "not":
      return { type: "not", part: toQuery(raw.part) };
    default:
      return { type: raw.type, parts: raw.parts.map(toQuery) };
  }
}

const HAS = ["links", "mentions", "hashtags", "cashtags", "media", "images", "videos", "video_link", "geo"];
const IS = ["reply", "retweet", "quote", "verified", "nullcast"];

/** Each operator by its name: what it makes of its value, or undefined where that cannot be one. */
const OPERATORS: Record<string, { wants: string; make: (value: string) => Query | undefined }> = {
  "@": { wants: "a username", make: (value) => narrow(term.mention(value)) },
  "#": { wants: "a hashtag", make: (value) => narrow(term.hashtag(value)) },
  $: { wants: "a cashtag", make: (value) => narrow(term.cashtag(value)) },
  from: byUser(term.from),
  to: byUser(term.to),
  retweets_of: byUser(term.retweetsOf),
  conversation_id: byTweet(term.conversation),
  in_reply_to_tweet_id: byTweet(term.inReplyTo),
  retweets_of_tweet_id: byTweet(term.retweets),
  quotes_of_tweet_id: byTweet(term.quotes),
  url: {
    wants: "a URL or a part of one",
    make(value) {
      const words = tokens(value).map(term.urlWord);
      return words.length > 0 ? { type: "words", tokens: words } : undefined;
    },
  },
  lang: {
    wants: "a language code such as en, or und",
    make: (value) =>
      /^[a-z]{2,3}(-[a-z]{2,8})?$/i.test(value) ? wide(term.lang(value.toLowerCase())) : undefined,
  },
  has: oneOf(HAS, term.has),
  is: oneOf(IS, term.is),
};

function operatorQuery({ name, value, column }: RawOperator): Query {
  const operator = Object.hasOwn(OPERATORS, name) ? OPERATORS[name] : undefined;
  if (!operator) {
    const known = Object.keys(OPERATORS).filter((key) => /^[a-z]/.test(key));
    throw new QueryError(
      `at column ${column}: "${name}:" is no operator; there are ${known.map((key) => `${key}:`).join(", ")}`,
    );
  }
  const made = operator.make(value);
  if (!made)
    throw new QueryError(`at column ${column}: ${name}: expected ${operator.wants}, but found "${value}"`);
  return made.type === "words" ? phrase(made.tokens, column) : made;
}

function phrase(words: string[], column: number): Query {
  const { phrase: most } = limits.search;
  if (words.length > most)
    throw new QueryError(`at column ${column}: a phrase may have ${most} words at most, not ${words.length}`);
  return { type: "words", tokens: words };
}

function tokensAt(text: string, column: number): string[] {
  const found = tokens(text).map(lexeme);
  if (found.length === 0)
    throw new QueryError(`at column ${column}: "${text}" holds no letter, digit or symbol`);
  return found;
}

function narrow(name: string): Query {
  return { type: "term", term: name, narrow: true };
}

function wide(name: string): Query {
  return { type: "term", term: name, narrow: false };
}

/** A username, with or without @, or a user's id, which is longer than any username. */
function byUser(termOf: (id: Id) => string) {
  return {
    wants: "a username or a user's id",
    make(value: string): Query | undefined {
      if (/^\d{16,19}$/.test(value)) return narrow(termOf(value));
      const username = /^@?([a-z0-9_]{1,15})$/i.exec(value)?.[1];
      return username ? { type: "user", username: username.toLowerCase(), termOf } : undefined;
    },
  };
}

function byTweet(termOf: (id: Id) => string) {
  return {
    wants: "a tweet's id",
    make: (value: string) => (isId(value) ? narrow(termOf(value)) : undefined),
  };
}

function oneOf(known: readonly string[], termOf: (value: string) => string) {
  return {
    wants: `one of ${known.join(", ")}`,
    make: (value: string) =>
      known.includes(value.toLowerCase()) ? wide(termOf(value.toLowerCase())) : undefined,
  };
}

/** Whether every tweet that matches has a word or term by which an index finds few. */
function isNarrow(query: Query): boolean {
  switch (query.type) {
    case "and":
      return query.parts.some(isNarrow);
    case "or":
      return query.parts.every(isNarrow);
    case "not":
      return false;
    case "term":
      return query.narrow;
    default:
      return true;
  }
}
