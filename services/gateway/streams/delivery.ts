import type { Id } from "../../contracts/actions.ts";
import { tweetAnswer } from "../present/answers.ts";
import { extrasOf, type TweetView } from "../present/tweets.ts";
import { type Calls, NOBODY } from "./calls.ts";

/** A tweet as a request for it would be answered now; undefined where it is gone. */
export async function answerOf(call: Calls, id: Id, view: TweetView) {
  const found = await call("tweet.get", { ids: [id], ...extrasOf(view) }, NOBODY);
  return found.tweets.length > 0 ? tweetAnswer(found, id, view) : undefined;
}
