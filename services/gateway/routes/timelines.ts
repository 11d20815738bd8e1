import { limits } from "../../../config/limits.ts";
import { requireSelf } from "../../contracts/context.ts";
import { READ_SCOPES } from "../../contracts/scopes.ts";
import { EXCLUDABLE, type Excludable, type TimelineQuery } from "../../contracts/tweets.ts";
import type { Id } from "../../contracts/users.ts";
import { type Endpoint, forReader, forViewer } from "../endpoint.ts";
import { id, optional, pageSize, paginationToken, shape, someOf, time } from "../fields.ts";
import { timelineAnswer } from "../present/answers.ts";
import { TIMELINE_ANSWER } from "../present/objects.ts";
import { extrasOf, TWEET_VIEW, type TweetView } from "../present/tweets.ts";

const ONE = shape({ id });
const timeline = (page: { min: number; max: number; default: number }) =>
  shape({
    ...TWEET_VIEW,
    max_results: pageSize(page),
    pagination_token: paginationToken,
    since_id: optional(id),
    until_id: optional(id),
    start_time: optional(time),
    end_time: optional(time),
    exclude: optional(someOf(EXCLUDABLE)),
  });

/** Home, author and mention timelines. */
export const timelineRoutes: Endpoint[] = [
  forViewer(
    {
      method: "GET",
      path: "2/users/:id/timelines/reverse_chronological",
      tag: "Timelines",
      summary: "Your own home timeline",
      rate: "read",
      answer: TIMELINE_ANSWER,
      scopes: READ_SCOPES,
      params: ONE,
      query: timeline(limits.timelinePage),
    },
    async ({ ctx, params, query }) => {
      requireSelf(ctx, params.id);
      return timelineAnswer(await ctx.call("timeline.home", timelineQuery(params.id, query)), query);
    },
  ),
  forReader(
    {
      method: "GET",
      path: "2/users/:id/mentions",
      tag: "Timelines",
      summary: "The tweets that mention a user",
      rate: "read",
      answer: TIMELINE_ANSWER,
      scopes: READ_SCOPES,
      params: ONE,
      query: timeline(limits.userTimelinePage),
    },
    async ({ ctx, params, query }) =>
      timelineAnswer(await ctx.call("timeline.mentions", timelineQuery(params.id, query)), query),
  ),
  forReader(
    {
      method: "GET",
      path: "2/users/:id/tweets",
      tag: "Timelines",
      summary: "A user's tweets",
      rate: "read",
      answer: TIMELINE_ANSWER,
      scopes: READ_SCOPES,
      params: ONE,
      query: timeline(limits.userTimelinePage),
    },
    async ({ ctx, params, query }) =>
      timelineAnswer(await ctx.call("timeline.user", timelineQuery(params.id, query)), query),
  ),
];

interface Page extends TweetView {
  max_results: number;
  pagination_token: string | undefined;
  since_id: Id | undefined;
  until_id: Id | undefined;
  start_time: string | undefined;
  end_time: string | undefined;
  exclude: Excludable[] | undefined;
}

function timelineQuery(userId: Id, page: Page): TimelineQuery {
  const { max_results: limit, pagination_token: cursor, since_id, until_id } = page;
  const { start_time, end_time, exclude } = page;
  const range = { since_id, until_id, start_time, end_time };
  return { user_id: userId, limit, cursor, ...range, exclude, ...extrasOf(page) };
}
