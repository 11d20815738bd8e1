import type { Tweet } from "../../contracts/tweets.ts";
import { lexeme, normal, tokens } from "./tokens.ts";

/** Everything that an operator can ask for beside words, as a term of a tweet's document. */
export const term = {
  from: (author: string) => `from:${author}`,
  to: (author: string) => `to:${author}`,
  retweetsOf: (author: string) => `retweets_of:${author}`,
  conversation: (id: string) => `conversation:${id}`,
  inReplyTo: (id: string) => `in_reply_to:${id}`,
  retweets: (id: string) => `retweets:${id}`,
  quotes: (id: string) => `quotes:${id}`,
  lang: (code: string) => `lang:${code}`,
  mention: (username: string) => `@${username.toLowerCase()}`,
  hashtag: (tag: string) => lexeme(`#${normal(tag)}`),
  cashtag: (tag: string) => lexeme(`$${normal(tag)}`),
  has: (what: string) => `has:${what}`,
  is: (what: string) => `is:${what}`,
  urlWord: (token: string) => lexeme(`url:${token}`),
} as const;

/** A tweet as search has it: each lexeme with the places where it stands; terms have none. */
export type SearchDocument = ReadonlyMap<string, ReadonlySet<number>>;

/** Words that a document has places for: those of any text, and of URLs as people share them. */
const PLACES = 500;
/** Places of one lexeme that Postgres keeps (MAXNUMPOS of tsvector). */
const PLACES_EACH = 256;

/** What search finds a tweet by. The same as `search_document` of migrations/0007_search.sql. Pure. */
export function documentOf(tweet: Tweet): SearchDocument {
  const document = new Map<string, Set<number>>();
  let place = 0;
  const put = (words: string[], lexemeOf: (token: string) => string) => {
    for (const word of words.slice(0, Math.max(0, PLACES - place))) {
      place++;
      const name = lexemeOf(word);
      const places = document.get(name) ?? new Set();
      if (places.size < PLACES_EACH) document.set(name, places.add(place));
    }
  };
  put(tokens(tweet.text), lexeme);
  for (const { expanded_url } of tweet.entities?.urls ?? []) {
    place++; // no phrase goes on from one URL to the next
    put(tokens(expanded_url), term.urlWord);
  }
  for (const name of termsOf(tweet)) document.set(name, new Set());
  return document;
}

function* termsOf(tweet: Tweet): Generator<string> {
  yield term.from(tweet.author_id);
  yield term.conversation(tweet.conversation_id);
  yield term.lang(tweet.lang);
  const { mentions, hashtags, cashtags, urls } = tweet.entities ?? {};
  for (const { username } of mentions ?? []) yield term.mention(username);
  for (const { tag } of hashtags ?? []) yield term.hashtag(tag);
  for (const { tag } of cashtags ?? []) yield term.cashtag(tag);
  if (urls) yield term.has("links");
  if (mentions) yield term.has("mentions");
  if (hashtags) yield term.has("hashtags");
  if (cashtags) yield term.has("cashtags");
  for (const { type, id, author_id } of tweet.referenced_tweets ?? []) {
    if (type === "replied_to") yield* [term.is("reply"), term.to(author_id), term.inReplyTo(id)];
    else if (type === "retweeted") yield* [term.is("retweet"), term.retweetsOf(author_id), term.retweets(id)];
    else yield* [term.is("quote"), term.quotes(id)];
  }
}
