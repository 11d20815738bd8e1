import type { PublicTweet, TweetExpansion } from "../../contracts/tweets.ts";
import type { Id, PublicUser } from "../../contracts/users.ts";
import { referenceOf } from "../../tweet/references.ts";
import { notFoundProblem, unauthorizedProblem } from "../problem.ts";
import type { Includes, Problem } from "./objects.ts";
import { presentTweet } from "./tweet-fields.ts";
import type { TweetsFound, TweetView } from "./tweets.ts";
import { presentUser } from "./users.ts";

/** What an answer holds beside its data: what was expanded, and of what was asked for what is missing. */
export interface Beside {
  includes?: Includes;
  errors?: Problem[];
}

/** What the expansions of a view add to some tweets: each user and tweet once. Pure. */
export function includesOf(found: TweetsFound, view: TweetView): Beside {
  const { expand, history } = view.expansions;
  if (expand.length === 0 && !history) return {};
  const tweets = [...(found.referenced ?? []), ...(history ? found.tweets : [])];
  return beside(tweets, found.users, view, missingFrom(found, expand));
}

/** Users, tweets and problems as they stand beside the data; what is empty is absent. Pure. */
export function beside(
  tweets: readonly PublicTweet[],
  users: readonly PublicUser[],
  view: Pick<TweetView, "tweet.fields" | "user.fields"> & { expansions?: Partial<TweetView["expansions"]> },
  errors: Problem[],
): Beside {
  const unique = new Map(tweets.map((tweet) => [tweet.id, tweet]));
  const includes = {
    ...(users.length > 0 ? { users: users.map((user) => presentUser(user, view["user.fields"])) } : {}),
    ...(unique.size > 0
      ? {
          tweets: [...unique.values()].map((tweet) =>
            presentTweet(tweet, view["tweet.fields"], view.expansions?.keys),
          ),
        }
      : {}),
  };
  return {
    ...(Object.keys(includes).length > 0 ? { includes } : {}),
    ...(errors.length > 0 ? { errors } : {}),
  };
}

/** Something that tweets name, by the expansion that asks for it. */
interface Named {
  resource: "user" | "tweet";
  expansion: TweetExpansion;
  /** An id; where an account was never found, its handle. */
  value: string;
}

function missingFrom(found: TweetsFound, expand: readonly TweetExpansion[]): Problem[] {
  const users = new Set(found.users.map(({ id }) => id));
  const tweets = new Set((found.referenced ?? []).map(({ id }) => id));
  const withheld = new Set(found.withheld);
  const problems = new Map<string, Problem>();
  for (const { resource, expansion, value } of namedBy(found, expand)) {
    if ((resource === "user" ? users : tweets).has(value)) continue;
    const problem = withheld.has(value) ? unauthorizedProblem : notFoundProblem;
    problems.set(`${expansion} ${value}`, problem(resource, expansion, value));
  }
  return [...problems.values()];
}

function namedBy({ tweets, referenced = [] }: TweetsFound, expand: readonly TweetExpansion[]): Named[] {
  const user = (expansion: TweetExpansion, value: Id): Named => ({ resource: "user", expansion, value });
  return expand.flatMap((expansion): Named[] => {
    if (expansion === "author_id") return tweets.map(({ author_id }) => user(expansion, author_id));
    if (expansion === "referenced_tweets.id.author_id")
      return referenced.map(({ author_id }) => user(expansion, author_id));
    return tweets.flatMap((tweet): Named[] => {
      if (expansion === "in_reply_to_user_id") {
        const parent = referenceOf(tweet, "replied_to");
        return parent ? [user(expansion, parent.author_id)] : [];
      }
      if (expansion === "entities.mentions.username")
        return (tweet.entities?.mentions ?? []).map(({ id, username }) => user(expansion, id ?? username));
      return (tweet.referenced_tweets ?? []).map(({ id }) => ({ resource: "tweet", expansion, value: id }));
    });
  });
}
