import type { FieldError } from "../contracts/errors.ts";
import { fieldError, invalidRequest } from "./problem.ts";
import type { JsonSchema } from "./schema.ts";

/**
 * The X API has two names for the same things: the tweet vocabulary of its document 2.159, and the post vocabulary that
 * X's own SDKs speak since 2026 (as @xdevplatform/xdk has it). Roost thinks in tweets; requests in posts are translated at
 * the edge, and answered in posts. A request that names neither is answered in tweets.
 */

/** Names of fields, of members of answers, and of the parts of expansions between dots. */
const POST_WORDS = {
  edit_history_tweet_ids: "edit_history_post_ids",
  most_recent_tweet_id: "most_recent_post_id",
  note_tweet: "note_post",
  pinned_tweet_id: "pinned_post_id",
  referenced_tweets: "referenced_posts",
  retweet_count: "repost_count",
  total_tweet_count: "total_post_count",
  tweet_count: "post_count",
  "tweet.fields": "post.fields",
  tweets: "posts",
} as const;

/** Expansions whose names differ in more than words. */
const POST_EXPANSIONS = {
  "affiliation.user_id": "affiliation",
  "referenced_tweets.id": "referenced_posts",
} as const;

/** Names that only the post vocabulary has, for what Roost has no value for. */
const POSTS_ONLY = new Map([
  ["post.fields", ["article_title"]],
  ["expansions", ["username"]],
]);

/** The parameters that are lists of such names. */
const LISTS = new Set(["tweet.fields", "post.fields", "user.fields", "search_count.fields", "expansions"]);

const inverse = (words: Record<string, string>) =>
  new Map(Object.entries(words).map(([tweet, post]) => [post, tweet]));
const toPosts = new Map<string, string>(Object.entries(POST_WORDS));
const toTweets = inverse(POST_WORDS);
const expansionToPosts = new Map<string, string>(Object.entries(POST_EXPANSIONS));
const expansionToTweets = inverse(POST_EXPANSIONS);

export type Vocabulary = "tweet" | "post";

/** A query in the tweet vocabulary, and the one that it was written in. */
export interface Spoken {
  vocabulary: Vocabulary;
  query: Record<string, unknown>;
}

/** Reads a query. Throws 400 where it mixes the two vocabularies. Pure. */
export function spokenIn(query: Record<string, unknown>): Spoken {
  const inPosts = namesIn(query, isOfPosts);
  if (inPosts.length === 0) return { vocabulary: "tweet", query };
  const inTweets = namesIn(query, isOfTweets);
  if (inTweets.length > 0)
    throw invalidRequest(
      [...new Set([...inPosts, ...inTweets])].map((name) =>
        fieldError(name, query[name], "mixes the names of tweets and of posts: use one of the two"),
      ),
    );
  const translated = Object.create(null);
  for (const [name, value] of Object.entries(query)) {
    const names = LISTS.has(name) && typeof value === "string" ? tweetNames(name, value) : value;
    if (names !== "" || value === "") translated[toTweets.get(name) ?? name] = names;
  }
  return { vocabulary: "post", query: translated };
}

/** Whether a query as it was sent may be in posts; cheap, and never wrong where it says no. */
export function maySpeakOfPosts(rawQuery: string): boolean {
  // Letters may be percent-encoded too; commas, which often are, are no letters.
  return /post|affiliation|username|%[4-7]/.test(rawQuery);
}

/** Whether a name, as it stands in a list, belongs to one of the vocabularies. */
type Belongs = (parameter: string, name: string) => boolean;

const isOfPosts: Belongs = (parameter, name) =>
  toTweets.has(name) ||
  name.split(".").some((part) => toTweets.has(part)) ||
  isOfPostsOnly(parameter, name) ||
  (parameter === "expansions" && expansionToTweets.has(name));

const isOfTweets: Belongs = (parameter, name) =>
  toPosts.has(name) ||
  name.split(".").some((part) => toPosts.has(part)) ||
  (parameter === "expansions" && expansionToPosts.has(name));

/** The parameters that belong to a vocabulary, by their own name or by one in their list. */
function namesIn(query: Record<string, unknown>, belongs: Belongs): string[] {
  return Object.entries(query).flatMap(([parameter, value]) => {
    const listed = LISTS.has(parameter) && typeof value === "string" ? value.split(",") : [];
    return belongs("", parameter) || listed.some((name) => belongs(parameter, name)) ? parameter : [];
  });
}

function isOfPostsOnly(parameter: string, name: string): boolean {
  return POSTS_ONLY.get(parameter)?.includes(name) ?? false;
}

function tweetNames(parameter: string, list: string): string {
  const names = list.split(",").filter((name) => !isOfPostsOnly(parameter, name));
  return names.map((name) => tweetName(parameter, name)).join(",");
}

function tweetName(parameter: string, name: string): string {
  const whole = parameter === "expansions" ? expansionToTweets.get(name) : undefined;
  return whole ?? mapWords(name, toTweets);
}

/** The name of a field or expansion in the post vocabulary. Pure. */
export function postName(name: string): string {
  return expansionToPosts.get(name) ?? mapWords(name, toPosts);
}

function mapWords(name: string, words: ReadonlyMap<string, string>): string {
  const parts = name.split(".").map((part) => words.get(part) ?? part);
  return words.get(name) ?? parts.join(".");
}

/** An answer in the post vocabulary: the names of members, and of what problems are about. Pure. */
export function inPosts(answer: unknown): unknown {
  if (Array.isArray(answer)) return answer.map(inPosts);
  if (typeof answer !== "object" || answer === null) return answer;
  return Object.fromEntries(
    Object.entries(answer).map(([name, value]) => [
      toPosts.get(name) ?? name,
      name === "parameter" && typeof value === "string" ? postName(value) : inPosts(value),
    ]),
  );
}

/** A faulty parameter of a query in posts, by the names that the client knows. Pure. */
export function faultInPosts({ message, parameters }: FieldError): FieldError {
  return {
    message: message.replaceAll(/[\w.]+/g, postName),
    parameters: Object.fromEntries(
      Object.entries(parameters).map(([name, values]) => [
        toPosts.get(name) ?? name,
        values.map((value) => value.split(",").map(postName).join(",")),
      ]),
    ),
  };
}

/** What a query takes in either vocabulary. Pure. */
export function querySchemaInBoth(schema: JsonSchema): JsonSchema {
  const both = Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    if (!LISTS.has(name)) return [[name, field] as const];
    const posts = [
      ...(field.items?.enum ?? []).map((value) => postName(String(value))),
      ...(POSTS_ONLY.get(toPosts.get(name) ?? name) ?? []),
    ];
    if (name === "tweet.fields")
      return [[name, field] as const, ["post.fields", withNames(field, posts)] as const];
    return [[name, withNames(field, [...(field.items?.enum ?? []), ...posts])] as const];
  });
  return { ...schema, properties: Object.fromEntries(both) };
}

function withNames(field: JsonSchema, names: readonly (string | number | boolean)[]): JsonSchema {
  return { ...field, items: { ...field.items, enum: [...new Set(names)] } };
}

/** What an answer holds in the post vocabulary; the schema itself where it holds nothing that is named differently. Pure. */
export function schemaInPosts(schema: JsonSchema): JsonSchema {
  const { title, properties, required, items } = schema;
  const renamed: JsonSchema = {
    ...schema,
    ...(items && { items: schemaInPosts(items) }),
    ...(properties && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([name, member]) => [
          toPosts.get(name) ?? name,
          schemaInPosts(member),
        ]),
      ),
    }),
    ...(required && { required: required.map((name) => toPosts.get(name) ?? name) }),
  };
  if (JSON.stringify(renamed) === JSON.stringify(schema)) return schema;
  return title === undefined ? renamed : { ...renamed, title: titleInPosts(title) };
}

function titleInPosts(title: string): string {
  return title.includes("Tweet") ? title.replace("Tweet", "Post") : `${title}InPosts`;
}
