import twitterText from "twitter-text";
import { invalidField } from "../contracts/errors.ts";
import type { TweetEntities } from "../contracts/tweets.ts";
import type { Id } from "../contracts/users.ts";
import { idUnder } from "../user/handles.ts";

/** Weighted length of a tweet's text at most; a URL counts as 23, CJK and emoji as 2. */
export const MAX_WEIGHTED_LENGTH = 280;

/** Throws 400 naming `text` unless it is 1–280 weighted characters by the twitter-text rules. */
export function requireTweetText(text: string): void {
  // twitter-text counts lone surrogates and controls that Postgres or JSON could not carry.
  if (!text.isWellFormed() || text.includes("\u0000"))
    throw invalidField("text", text, "must be well-formed Unicode without NUL");
  if (text.trim() === "") throw invalidField("text", text, "must not be empty");
  const { valid, weightedLength } = twitterText.parseTweet(text);
  if (weightedLength > MAX_WEIGHTED_LENGTH) {
    throw invalidField(
      "text",
      text,
      `is ${weightedLength} weighted characters long; at most ${MAX_WEIGHTED_LENGTH} are allowed`,
    );
  }
  if (!valid) throw invalidField("text", text, "holds characters that a tweet must not have");
}

/**
 * Mentions, hashtags, cashtags and URLs as they are written, with their places in Unicode code points (the X API's
 * unit). Pure: mentions carry no ids yet.
 */
export function extractEntities(text: string): TweetEntities {
  const found = twitterText.extractEntitiesWithIndices(text);
  twitterText.modifyIndicesFromUTF16ToUnicode(text, found);
  const mentions: NonNullable<TweetEntities["mentions"]> = [];
  const hashtags: NonNullable<TweetEntities["hashtags"]> = [];
  const cashtags: NonNullable<TweetEntities["cashtags"]> = [];
  const urls: NonNullable<TweetEntities["urls"]> = [];
  for (const entity of found) {
    const [start, end] = entity.indices;
    if ("screenName" in entity) mentions.push({ start, end, username: entity.screenName });
    else if ("hashtag" in entity) hashtags.push({ start, end, tag: entity.hashtag });
    else if ("cashtag" in entity) cashtags.push({ start, end, tag: entity.cashtag });
    else if ("url" in entity) urls.push({ start, end, ...urlForms(entity.url) });
  }
  const lists = Object.entries({ mentions, hashtags, cashtags, urls });
  return Object.fromEntries(lists.filter(([, list]) => list.length > 0));
}

function urlForms(url: string) {
  const expanded_url = /^https?:\/\//i.test(url) ? url : `http://${url}`;
  return { url, expanded_url, display_url: expanded_url.replace(/^https?:\/\//i, "") };
}

/** Adds the id to each mention whose account exists; `known` maps lower-case usernames to ids. */
export function withMentionIds(entities: TweetEntities, known: Record<string, Id>): TweetEntities {
  if (!entities.mentions) return entities;
  const mentions = entities.mentions.map((mention) => {
    const id = idUnder(known, mention.username);
    return id ? { ...mention, id } : mention;
  });
  return { ...entities, mentions };
}
