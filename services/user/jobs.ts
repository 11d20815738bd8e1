import { isId } from "../../mixins/shard-db/ids.ts";
import type { Id } from "../contracts/users.ts";
import type { TokenRef } from "./sessions/tokens.ts";

/** The user that a job names. Throws where it names none. */
export function idIn(key: unknown): Id {
  const { id } = Object(key);
  if (!isId(id)) throw new Error(`not a user: ${JSON.stringify(key)}`);
  return id;
}

/** The access token that a "session" job names. Throws where it names none. */
export function tokenIn(key: unknown): TokenRef {
  const { bucket, hash } = Object(key);
  if (typeof bucket !== "number" || typeof hash !== "string") throw new Error("not a token");
  return { bucket, hash };
}
