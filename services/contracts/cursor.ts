import { isId } from "../../mixins/shard-db/ids.ts";
import { invalidField } from "./errors.ts";
import type { Id } from "./users.ts";

/** Where a page begins: with what is older than an id, or with what is next newer. */
export interface Position {
  before?: Id;
  after?: Id;
}

/** Writes a position as an opaque token of at least 16 characters, the X API's form. */
export function writeCursor(position: Position): string {
  return position.after
    ? `a${position.after.padStart(19, "0")}`
    : `b${(position.before ?? "").padStart(19, "0")}`;
}

/** Reads a token that writeCursor made. Throws 400 naming `pagination_token` for anything else. */
export function readCursor(cursor: string | undefined): Position {
  if (cursor === undefined) return {};
  const match = /^([ab])(\d{19})$/.exec(cursor);
  const id = match?.[2]?.replace(/^0+/, "");
  if (!match || !isId(id)) {
    throw invalidField("pagination_token", cursor, "is not a token from an earlier page");
  }
  return match[1] === "a" ? { after: id } : { before: id };
}

/** The tokens around a page whose entries run from `newest` to `oldest`. */
export function cursorsAround(page: { newest?: Id; oldest?: Id; from: Position; full: boolean }): {
  next_cursor?: string;
  previous_cursor?: string;
} {
  const { newest, oldest, from, full } = page;
  const older = oldest && (full || from.after) ? writeCursor({ before: oldest }) : undefined;
  const newer = newest && (from.before || (from.after && full)) ? writeCursor({ after: newest }) : undefined;
  return { next_cursor: older, previous_cursor: newer };
}
