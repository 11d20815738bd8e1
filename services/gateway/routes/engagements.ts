import { limits } from "../../../config/limits.ts";
import { type Ctx, requireSelf } from "../../contracts/context.ts";
import { READ_SCOPES } from "../../contracts/scopes.ts";
import { EXCLUDABLE, type Excludable } from "../../contracts/tweets.ts";
import type { Id } from "../../contracts/users.ts";
import { type Endpoint, forReader, forViewer } from "../endpoint.ts";
import { id, optional, pageSize, paginationToken, type Shape, shape, someOf } from "../fields.ts";
import { timelineAnswer, userPageAnswer } from "../present/answers.ts";
import { done, TIMELINE_ANSWER, USER_PAGE_ANSWER } from "../present/objects.ts";
import { extrasOf, TWEET_VIEW, type TweetView } from "../present/tweets.ts";
import { USER_VIEW, userExtrasOf } from "../present/users.ts";
import { boolean, object, string, type TypeOf } from "../schema.ts";
import { withTweets } from "./expanded-users.ts";

/** What a user may do with a tweet, the actions that do and undo it, and what the path calls the tweet. */
const ENGAGEMENTS = [
  {
    name: "likes",
    verb: "Like",
    make: "graph.like",
    undo: "graph.unlike",
    tweet: "tweet_id",
    scope: "like.write",
  },
  {
    name: "bookmarks",
    verb: "Bookmark",
    make: "graph.bookmark",
    undo: "graph.unbookmark",
    tweet: "tweet_id",
    scope: "bookmark.write",
  },
  {
    name: "retweets",
    verb: "Retweet",
    make: "tweet.retweet",
    undo: "tweet.unretweet",
    tweet: "source_tweet_id",
    scope: "tweet.write",
  },
] as const;

const ONE = shape({ id });
const TWEET = shape({ tweet_id: id });
const LIST = { ...TWEET_VIEW, pagination_token: paginationToken };
const PAGE = shape({ ...LIST, max_results: pageSize(limits.timelinePage) });
const LIKED = shape({ ...LIST, max_results: pageSize(limits.likedPage) });
const QUOTES = shape({
  ...LIST,
  max_results: pageSize(limits.quotesPage),
  exclude: optional(someOf(EXCLUDABLE)),
});
const USERS = shape({
  ...USER_VIEW,
  max_results: pageSize(limits.engagedPage),
  pagination_token: paginationToken,
});

const ENGAGEMENT = done(
  object({}, { liked: boolean(), bookmarked: boolean(), retweeted: boolean(), id: string() }),
);

/** Likes, bookmarks and retweets, and the lists of what was engaged with, of who did it, and of what is about a tweet. */
export const engagementRoutes: Endpoint[] = [
  ...ENGAGEMENTS.flatMap(({ name, verb, make, undo, tweet, scope }) => [
    forViewer(
      {
        method: "POST",
        path: `2/users/:id/${name}`,
        tag: "Engagement",
        summary: `${verb} a tweet`,
        answer: ENGAGEMENT,
        rate: "write",
        scopes: [...READ_SCOPES, scope],
        params: ONE,
        body: TWEET,
      },
      async ({ ctx, params, body }) => {
        requireSelf(ctx, params.id);
        return { data: await ctx.call(make, body) };
      },
    ),
    forViewer(
      {
        method: "DELETE",
        path: `2/users/:id/${name}/:${tweet}`,
        tag: "Engagement",
        summary: `Undo: ${verb.toLowerCase()} a tweet`,
        answer: ENGAGEMENT,
        rate: "write",
        scopes: [...READ_SCOPES, scope],
        params: shape<Record<string, string>>({ id, [tweet]: id }),
      },
      async ({ ctx, params }) => {
        requireSelf(ctx, params.id ?? "");
        return { data: await ctx.call(undo, { tweet_id: params[tweet] ?? "" }) };
      },
    ),
  ]),
  forViewer(
    {
      method: "GET",
      path: "2/users/:id/liked_tweets",
      tag: "Engagement",
      summary: "The tweets that a user liked",
      rate: "read",
      scopes: [...READ_SCOPES, "like.read"],
      params: ONE,
      query: LIKED,
      answer: TIMELINE_ANSWER,
    },
    ({ ctx, params, query }) => engagements(ctx, params.id, "like", query),
  ),
  forViewer(
    {
      method: "GET",
      path: "2/users/:id/bookmarks",
      tag: "Engagement",
      summary: "Your own bookmarks",
      rate: "read",
      scopes: [...READ_SCOPES, "bookmark.read"],
      params: ONE,
      query: PAGE,
      answer: TIMELINE_ANSWER,
    },
    ({ ctx, params, query }) => engagements(ctx, params.id, "bookmark", query),
  ),
  forViewer(
    {
      method: "GET",
      path: "2/tweets/:id/liking_users",
      tag: "Engagement",
      summary: "Who liked a tweet",
      answer: USER_PAGE_ANSWER,
      rate: "read",
      scopes: [...READ_SCOPES, "like.read"],
      params: ONE,
      query: USERS,
    },
    ({ ctx, params, query }) => engaged(ctx, params.id, "like", query),
  ),
  forReader(
    {
      method: "GET",
      path: "2/tweets/:id/retweeted_by",
      tag: "Engagement",
      summary: "Who retweeted a tweet",
      answer: USER_PAGE_ANSWER,
      rate: "read",
      scopes: READ_SCOPES,
      params: ONE,
      query: USERS,
    },
    ({ ctx, params, query }) => engaged(ctx, params.id, "retweet", query),
  ),
  forReader(
    {
      method: "GET",
      path: "2/tweets/:id/quote_tweets",
      tag: "Engagement",
      summary: "The tweets that quote a tweet",
      rate: "read",
      scopes: READ_SCOPES,
      params: ONE,
      query: QUOTES,
      answer: TIMELINE_ANSWER,
    },
    ({ ctx, params, query }) => about(ctx, params.id, "quote", query),
  ),
  forReader(
    {
      method: "GET",
      path: "2/tweets/:id/retweets",
      tag: "Engagement",
      summary: "The retweets of a tweet",
      rate: "read",
      scopes: READ_SCOPES,
      params: ONE,
      query: PAGE,
      answer: TIMELINE_ANSWER,
    },
    ({ ctx, params, query }) => about(ctx, params.id, "retweet", query),
  ),
];

interface TweetPage extends TweetView {
  max_results: number;
  pagination_token: string | undefined;
}

async function engagements(
  ctx: Ctx,
  user_id: Id,
  kind: "like" | "bookmark",
  query: TweetPage,
): Promise<TypeOf<typeof TIMELINE_ANSWER>> {
  const { max_results: limit, pagination_token: cursor } = query;
  const wanted = { user_id, kind, limit, cursor, ...extrasOf(query) };
  return timelineAnswer(await ctx.call("graph.engagements", wanted), query);
}

async function about(
  ctx: Ctx,
  tweet_id: Id,
  kind: "quote" | "retweet",
  query: TweetPage & { exclude?: Excludable[] },
): Promise<TypeOf<typeof TIMELINE_ANSWER>> {
  const { max_results: limit, pagination_token: cursor, exclude } = query;
  const wanted = { tweet_id, kind, limit, cursor, exclude, ...extrasOf(query) };
  return timelineAnswer(await ctx.call("tweet.about", wanted), query);
}

async function engaged(
  ctx: Ctx,
  tweet_id: Id,
  kind: "like" | "retweet",
  query: typeof USERS extends Shape<infer Q> ? Q : never,
): Promise<TypeOf<typeof USER_PAGE_ANSWER>> {
  const { max_results: limit, pagination_token: cursor } = query;
  const extras = userExtrasOf(query["user.fields"], query.expansions);
  const page = await ctx.call("graph.engaged", { tweet_id, kind, limit, cursor, ...extras });
  return userPageAnswer(await withTweets(ctx, page, query), query);
}
