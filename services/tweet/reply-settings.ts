import type { Tweet } from "../contracts/tweets.ts";
import type { Id } from "../contracts/users.ts";

/** Whether a tweet's author lets a user reply; `isFollowed`: whether the author follows them. Nobody is a subscriber or verified. Pure. */
export function mayReply(user: Id, tweet: Tweet, isFollowed: boolean): boolean {
  const { reply_settings, author_id, entities } = tweet;
  if (!reply_settings || user === author_id) return true;
  if (entities?.mentions?.some(({ id }) => id === user)) return true;
  return reply_settings === "following" && isFollowed;
}

/** Whether it is worth asking whom the author follows. Pure. */
export function asksForFollow({ reply_settings }: Tweet): boolean {
  return reply_settings === "following";
}
