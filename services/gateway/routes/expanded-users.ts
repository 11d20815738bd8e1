import { limits } from "../../../config/limits.ts";
import type { Ctx } from "../../contracts/context.ts";
import type { PublicTweet } from "../../contracts/tweets.ts";
import type { Id, PublicUser } from "../../contracts/users.ts";
import { tweetsNamedBy, type UserView } from "../present/users.ts";

/** Adds the tweets that users name and a view expands. Only then there is a second call. */
export async function withTweets<F extends { users: readonly PublicUser[] }>(
  ctx: Ctx,
  found: F,
  view: UserView,
): Promise<F & { tweets: PublicTweet[] }> {
  const named = [...tweetsNamedBy(found.users, view.expansions).keys()];
  const with_tweet_metrics = view["tweet.fields"].keys.includes("public_metrics");
  const pages = await Promise.all(
    inLookups(named).map((ids) => ctx.call("tweet.get", { ids, with_tweet_metrics })),
  );
  return { ...found, tweets: pages.flatMap(({ tweets }) => tweets) };
}

function inLookups(ids: Id[]): Id[][] {
  const count = Math.ceil(ids.length / limits.lookup);
  return Array.from({ length: count }, (_, i) => ids.slice(i * limits.lookup, (i + 1) * limits.lookup));
}
