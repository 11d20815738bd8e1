import type { ShardDb } from "../../mixins/shard-db/index.ts";
import { RoostError } from "../contracts/errors.ts";
import type { Tweet } from "../contracts/tweets.ts";
import type { Id } from "../contracts/users.ts";
import { referenceOf } from "./references.ts";
import { tweetNow } from "./tweet.repo.ts";

/** The tweet that an id stands for, from the primary: a retweet stands for its original. Throws 404 where there is none. */
export async function requireOriginal(db: ShardDb, field: string, id: Id): Promise<Tweet> {
  const tweet = await tweetNow(db, id);
  const original = tweet && referenceOf(tweet, "retweeted");
  const found = original ? await tweetNow(db, original.id) : tweet;
  if (!found) throw unknownTweet(field, id);
  return found;
}

/** The id that a tweet's id stands for, whether the tweet is still there or not. */
export async function originalId(db: ShardDb, id: Id): Promise<Id> {
  const tweet = await tweetNow(db, id);
  return (tweet && referenceOf(tweet, "retweeted")?.id) ?? id;
}

/** 404 naming a tweet that there is not. */
export function unknownTweet(field: string, id: Id): RoostError {
  return new RoostError("NOT_FOUND", `Could not find tweet with ${field}: [${id}].`, {
    errors: [{ message: "names no tweet", parameters: { [field]: [id] } }],
  });
}
