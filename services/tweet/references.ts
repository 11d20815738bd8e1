import type { EdgeKind } from "../contracts/edges.ts";
import type { Excludable, Tweet, TweetEntities, TweetReference } from "../contracts/tweets.ts";
import type { Id } from "../contracts/users.ts";

/** What a tweet refers to in one way, if it does. */
export function referenceOf(
  tweet: Pick<Tweet, "referenced_tweets">,
  type: TweetReference["type"],
): TweetReference | undefined {
  return tweet.referenced_tweets?.find((reference) => reference.type === type);
}

/** The originals of the retweets among some tweets: they are shown only as long as these exist. */
export function originalsOf(tweets: readonly Tweet[]): Id[] {
  return tweets.flatMap((tweet) => referenceOf(tweet, "retweeted")?.id ?? []);
}

/** The tweets whose existence decides whether some tweets are shown. */
export function idsAndOriginals(tweets: readonly Tweet[]): Id[] {
  return [...tweets.map(({ id }) => id), ...originalsOf(tweets)];
}

/** Whether a tweet exists, and, where it is a retweet, its original too. */
export function existsIn(alive: ReadonlySet<Id>, tweet: Tweet): boolean {
  const original = referenceOf(tweet, "retweeted");
  return alive.has(tweet.id) && (!original || alive.has(original.id));
}

/** Whether a query leaves a tweet out. Pure. */
export function isExcluded(tweet: Tweet, exclude: readonly Excludable[] = []): boolean {
  return (
    (exclude.includes("retweets") && referenceOf(tweet, "retweeted") !== undefined) ||
    (exclude.includes("replies") && referenceOf(tweet, "replied_to") !== undefined)
  );
}

/** The edges that are part of a tweet: to what it replies to and quotes, and to whom it mentions. Pure. */
export function edgesOf(
  references: readonly TweetReference[],
  { mentions = [] }: TweetEntities,
): { kind: EdgeKind; dst: Id }[] {
  const referred = references.flatMap(({ type, id }) => {
    if (type === "replied_to") return { kind: "reply" as const, dst: id };
    return type === "quoted" ? { kind: "quote" as const, dst: id } : [];
  });
  const mentioned = new Set(mentions.flatMap(({ id }) => id ?? []));
  return [...referred, ...[...mentioned].map((dst) => ({ kind: "mention" as const, dst }))];
}

/** Longest text of a retweet, in code points: that of the X API. */
const RETWEET_LENGTH = 140;

/** The text by which the X API shows a retweet: `RT @handle: ` and the beginning of the original. Pure. */
export function retweetText(username: string, text: string): string {
  const points = [...`RT @${username}: ${text}`];
  return points.length <= RETWEET_LENGTH
    ? points.join("")
    : `${points.slice(0, RETWEET_LENGTH - 1).join("")}…`;
}
