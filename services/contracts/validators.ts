import { limits } from "../../config/limits.ts";
import { isId } from "../../mixins/shard-db/ids.ts";
import { EXCLUDABLE, TWEET_EXPANSIONS } from "./tweets.ts";

interface Fault {
  type: string;
  actual: unknown;
  message: string;
}

const checkId = (value: unknown, errors: Fault[]) => {
  if (!isId(value))
    errors.push({ type: "id", actual: value, message: "must be an id: a decimal number of up to 19 digits" });
  return value;
};

/** fastest-validator rule of an id: a decimal string of up to 63 bits. */
export const id = { type: "string", custom: checkId } as const;

export const optionalId = {
  type: "string",
  optional: true,
  // Runs for an absent value as well.
  custom: (value: unknown, errors: Fault[]) => (value === undefined ? value : checkId(value, errors)),
} as const;

/** An id, or null, which clears what it stands for. */
export const clearableId = {
  type: "string",
  optional: true,
  nullable: true,
  custom: (value: unknown, errors: Fault[]) => (value === null ? value : optionalId.custom(value, errors)),
} as const;

export const optional = (type: "string" | "boolean" | "number") => ({ type, optional: true }) as const;

/** A list of at most `max` ids. */
export const idList = (max: number) => ({ type: "array", min: 1, max, items: id }) as const;

/** Rules of UserExtras. */
export const userExtras = { with_metrics: optional("boolean"), with_latest: optional("boolean") } as const;

/** Rules of TweetExtras. */
export const tweetExtras = {
  ...userExtras,
  expand: { type: "array", optional: true, items: { type: "enum", values: [...TWEET_EXPANSIONS] } },
  with_tweet_metrics: optional("boolean"),
} as const;

/** What a timeline may leave out. */
export const exclude = {
  type: "array",
  optional: true,
  items: { type: "enum", values: [...EXCLUDABLE] },
} as const;

export const cursor = { type: "string", optional: true } as const;

/** Rules of TweetListQuery. */
export const tweetList = {
  limit: { type: "number", integer: true, min: 1, max: limits.timelinePage.max },
  cursor,
  ...tweetExtras,
} as const;

/** A time as the X API writes it: ISO 8601 in UTC, with or without fractions of a second. */
export const isTime = (value: unknown): value is string =>
  typeof value === "string" &&
  /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/.test(value) &&
  !Number.isNaN(Date.parse(value));

export const optionalTime = {
  type: "string",
  optional: true,
  custom(value: unknown, errors: Fault[]) {
    if (value !== undefined && !isTime(value))
      errors.push({ type: "time", actual: value, message: "must be a UTC time: YYYY-MM-DDTHH:mm:ssZ" });
    return value;
  },
} as const;

/** Rules of SearchRange. */
export const searchRange = {
  since_id: optionalId,
  until_id: optionalId,
  start_time: optionalTime,
  end_time: optionalTime,
} as const;
