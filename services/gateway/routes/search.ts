import { limits } from "../../../config/limits.ts";
import { READ_SCOPES } from "../../contracts/scopes.ts";
import { GRANULARITIES } from "../../contracts/search.ts";
import type { SearchRange } from "../../contracts/tweets.ts";
import { type Endpoint, forReader } from "../endpoint.ts";
import {
  described,
  field,
  id,
  optional,
  pageSize,
  paginationToken,
  shape,
  text,
  time,
  withDefault,
} from "../fields.ts";
import { countsAnswer, timelineAnswer } from "../present/answers.ts";
import { COUNTS_ANSWER, TIMELINE_ANSWER } from "../present/objects.ts";
import { ignored } from "../present/selection.ts";
import { extrasOf, TWEET_VIEW } from "../present/tweets.ts";

const RANGE = {
  since_id: optional(id),
  until_id: optional(id),
  start_time: optional(time),
  end_time: optional(time),
};
const QUERY = described(
  text,
  `Words and operators, at most ${limits.search.queryLength} characters: \`coffee -is:retweet (from:alice OR #espresso)\`.`,
);

/** Search over the last 7 days. */
export const searchRoutes: Endpoint[] = [
  forReader(
    {
      method: "GET",
      path: "2/tweets/search/recent",
      tag: "Search",
      summary: "The tweets of the last 7 days that a query matches, newest first",
      answer: TIMELINE_ANSWER,
      rate: "search",
      scopes: READ_SCOPES,
      query: shape({
        ...TWEET_VIEW,
        query: QUERY,
        ...RANGE,
        max_results: pageSize(limits.search.page),
        next_token: paginationToken,
        pagination_token: paginationToken,
        sort_order: described(
          optional(field<string | undefined>({ type: "enum", values: ["recency", "relevancy"] })),
          "Both are answered newest first.",
        ),
      }),
    },
    async ({ ctx, query }) => {
      const { max_results: limit, next_token, pagination_token: cursor = next_token } = query;
      const asked = { query: query.query, limit, cursor, ...rangeIn(query), ...extrasOf(query) };
      return timelineAnswer(await ctx.call("tweet.search", asked), query);
    },
  ),
  forReader(
    {
      method: "GET",
      path: "2/tweets/counts/recent",
      tag: "Search",
      summary: "How many tweets of the last 7 days a query matches, by minute, hour or day",
      answer: COUNTS_ANSWER,
      rate: "search",
      query: shape({
        query: QUERY,
        ...RANGE,
        "search_count.fields": ignored(["end", "start", "tweet_count"]),
        granularity: withDefault(
          field<(typeof GRANULARITIES)[number]>({ type: "enum", values: [...GRANULARITIES] }),
          "hour",
        ),
      }),
    },
    async ({ ctx, query }) => {
      const { granularity } = query;
      return countsAnswer(
        await ctx.call("tweet.counts", { query: query.query, granularity, ...rangeIn(query) }),
      );
    },
  ),
];

function rangeIn({ since_id, until_id, start_time, end_time }: SearchRange): SearchRange {
  return { since_id, until_id, start_time, end_time };
}
