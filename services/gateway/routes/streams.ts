import { limits } from "../../../config/limits.ts";
import { requireSelf } from "../../contracts/context.ts";
import { READ_SCOPES } from "../../contracts/scopes.ts";
import { EXCLUDABLE } from "../../contracts/tweets.ts";
import { type Endpoint, forReader, streaming } from "../endpoint.ts";
import {
  described,
  id,
  ids,
  optional,
  pageSize,
  paginationToken,
  shape,
  someOf,
  time,
  withDefault,
} from "../fields.ts";
import { FILTERED_ANSWER, RULES_ANSWER, RULES_CHANGED, TWEET_ANSWER } from "../present/objects.ts";
import { addedAnswer, deletedAnswer, rulesAnswer } from "../present/rules.ts";
import { TWEET_VIEW } from "../present/tweets.ts";
import { fieldError, invalidRequest } from "../problem.ts";
import { FilteredStream, type Span } from "../streams/filtered-stream.ts";
import { HomeStream } from "../streams/home-stream.ts";
import { JSON_LINES, SERVER_SENT_EVENTS } from "../streams/outlet.ts";
import { flag, newRules, unwantedRules } from "./rule-fields.ts";

/** Throws 400 unless a request says to add rules or to delete some. */
function requireOne({
  add,
  delete: unwanted,
}: {
  add?: unknown;
  delete?: { ids?: unknown; values?: unknown };
}): void {
  if ((add !== undefined) === (unwanted !== undefined))
    throw invalidRequest([fieldError("add", undefined, "or delete must be given, and not both")]);
  if (unwanted && !unwanted.ids && !unwanted.values)
    throw invalidRequest([fieldError("delete", undefined, "must have ids or values")]);
}

/** From when on to when a stream goes, in ms since 1970. Throws 400 where it would begin too early. */
function spanOf(
  {
    backfill_minutes,
    start_time,
    end_time,
  }: { backfill_minutes: number; start_time?: string; end_time?: string },
  now: number,
): Span {
  const earliest = now - 60_000 * backfillMinutes;
  const startMs = start_time === undefined ? now - 60_000 * backfill_minutes : Date.parse(start_time);
  if (startMs < earliest)
    throw invalidRequest([
      fieldError("start_time", start_time, `must lie within the last ${backfillMinutes} minutes`),
    ]);
  return {
    startMs: startMs < now ? startMs : undefined,
    endMs: end_time === undefined ? undefined : Date.parse(end_time),
  };
}

const RULES = "2/tweets/search/stream/rules";
const { backfillMinutes, rulesEach, replayed } = limits.streams;

/** The filtered stream with its rules, and the stream of a home timeline, which is Roost's own. */
export const streamRoutes: Endpoint[] = [
  forReader(
    {
      method: "GET",
      path: RULES,
      tag: "Streams",
      summary: "Your rules of the filtered stream, oldest first",
      rate: "read",
      answer: RULES_ANSWER,
      query: shape({
        ids: optional(ids),
        max_results: pageSize({ min: 1, max: rulesEach, default: rulesEach }),
        pagination_token: paginationToken,
      }),
    },
    async ({ ctx, query: { ids, max_results: limit, pagination_token: cursor } }) =>
      rulesAnswer(await ctx.call("tweet.rules", { ids, limit, cursor }), new Date()),
  ),
  forReader(
    {
      method: "POST",
      path: RULES,
      tag: "Streams",
      summary: "Add rules to the filtered stream, or delete some",
      rate: "write",
      answer: RULES_CHANGED,
      query: shape({
        dry_run: flag("Only says what would be done."),
        delete_all: flag("Deletes every rule."),
      }),
      body: shape({ add: optional(newRules), delete: optional(unwantedRules) }),
    },
    async ({ ctx, query: { dry_run, delete_all: all }, body }) => {
      const sent = new Date();
      if (all) return deletedAnswer(await ctx.call("tweet.deleteRules", { all, dry_run }), sent);
      requireOne(body);
      if (body.add) return addedAnswer(await ctx.call("tweet.addRules", { rules: body.add, dry_run }), sent);
      return deletedAnswer(await ctx.call("tweet.deleteRules", { ...body.delete, dry_run }), sent);
    },
  ),
  streaming(
    {
      method: "GET",
      path: "2/tweets/search/stream",
      tag: "Streams",
      summary: "New tweets that match your rules, a line of JSON each; empty lines in between",
      rate: "read",
      format: JSON_LINES,
      answer: FILTERED_ANSWER,
      query: shape({
        ...TWEET_VIEW,
        backfill_minutes: described(
          withDefault(pageSize({ min: 0, max: backfillMinutes, default: 0 }), 0),
          "Begins so many minutes ago.",
        ),
        start_time: described(optional(time), `Begins then, at most ${backfillMinutes} minutes ago.`),
        end_time: described(optional(time), "Ends with what was written before."),
      }),
    },
    "reader",
    ({ query }, stream, outlet) =>
      new FilteredStream(outlet, stream, query).prepare(spanOf(query, Date.now())),
  ),
  streaming(
    {
      method: "GET",
      path: "2/users/:id/timelines/reverse_chronological/stream",
      tag: "Streams",
      summary:
        "Your own home timeline as server-sent events, from now on or from the event in Last-Event-ID on",
      rate: "read",
      scopes: READ_SCOPES,
      format: SERVER_SENT_EVENTS,
      answer: TWEET_ANSWER,
      params: shape({ id }),
      query: shape({ ...TWEET_VIEW, exclude: optional(someOf(EXCLUDABLE)) }),
      headers: {
        shape: shape({
          "last-event-id": described(
            optional(id),
            `The last tweet that was seen: what came since is sent first, at most ${replayed} tweets; an event "gap" tells of more.`,
          ),
        }),
        names: ["last-event-id"],
      },
    },
    "user",
    ({ ctx, params, query, headers }, { streams, inItsWords, meta: { viewer } }, outlet) => {
      requireSelf(ctx, params.id);
      if (!viewer) throw new Error("a stream for users was opened without one");
      const options = { streams, inItsWords, viewer, view: query, exclude: query.exclude };
      return new HomeStream(outlet, options).prepare(headers["last-event-id"]);
    },
  ),
];
