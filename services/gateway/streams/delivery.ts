import type { ParamsOf } from "../../contracts/actions.ts";
import type { Meta } from "../../contracts/context.ts";
import type { Id } from "../../contracts/users.ts";
import { usersNamedBy } from "../../tweet/expansions.ts";
import { tweetAnswer } from "../present/answers.ts";
import { extrasOf, type TweetsFound, type TweetView } from "../present/tweets.ts";
import type { Calls } from "./calls.ts";

export type TweetAnswer = ReturnType<typeof tweetAnswer>;

/** Who asks for tweets, how they are shown, and which are left out. */
export interface Delivery extends Pick<ParamsOf<"tweet.get">, "unblocked"> {
  meta: Meta;
  view: TweetView;
}

/** Tweets, by id, each as a request for it would be answered now; at most `limits.lookup`. Those that are gone are absent. */
export async function answersOf(
  call: Calls,
  ids: Id[],
  { meta, view, unblocked }: Delivery,
): Promise<Map<Id, TweetAnswer>> {
  const found = await call("tweet.get", { ids, unblocked, ...extrasOf(view) }, meta);
  return new Map(found.tweets.map(({ id }) => [id, tweetAnswer(onlyOf(found, id, view), id, view)]));
}

/** One of several tweets, with what it brings along itself. Pure. */
export function onlyOf(found: TweetsFound, id: Id, { expansions }: TweetView): TweetsFound {
  const tweets = found.tweets.filter((tweet) => tweet.id === id);
  const referred = new Set(
    tweets.flatMap(({ referenced_tweets = [] }) => referenced_tweets.map((to) => to.id)),
  );
  const referenced = found.referenced?.filter((tweet) => referred.has(tweet.id));
  const named = new Set(usersNamedBy(tweets, referenced ?? [], new Set(expansions.expand)));
  return { ...found, tweets, users: found.users.filter((user) => named.has(user.id)), referenced };
}
