import type { Id } from "../contracts/users.ts";

/** What `user.resolve` found under a username, whatever its case. Some are called like members of every object. Pure. */
export function idUnder(found: Readonly<Record<string, Id>>, username: string): Id | undefined {
  const handle = username.toLowerCase();
  return Object.hasOwn(found, handle) ? found[handle] : undefined;
}
