import { limits } from "../../../config/limits.ts";
import type { Id } from "../../contracts/users.ts";
import { type Query, usernamesIn, withUserIds } from "./query.ts";

/** The ids of the users that exist among some lower-case usernames, by name; at most `limits.lookup` at a time. */
export type Resolve = (usernames: string[]) => Promise<Record<string, Id>>;

/** Puts the ids of their users into queries, asking for all of them together. */
export async function resolveUsers(queries: readonly Query[], resolve: Resolve): Promise<Query[]> {
  const usernames = [...new Set(queries.flatMap(usernamesIn))];
  // Without a prototype, which a user called __proto__ would change.
  const ids: Record<string, Id> = Object.create(null);
  for (let first = 0; first < usernames.length; first += limits.lookup)
    Object.assign(ids, await resolve(usernames.slice(first, first + limits.lookup)));
  return queries.map((query) => withUserIds(query, ids));
}
