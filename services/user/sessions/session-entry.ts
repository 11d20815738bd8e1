import { bucketOf } from "../../../mixins/shard-db/ids.ts";
import { isScope } from "../../contracts/scopes.ts";
import type { TokenSession } from "../../contracts/sessions.ts";
import { bucketOfClient } from "./tokens.ts";

/** Stands in Redis for a session that is being revoked. */
export const REVOKED = "-";

/** In the place of the user, where an app asks for nobody but itself. */
const NOBODY = "0".repeat(19);

/**
 * A session as Redis holds it: user id (19 digits), session id (a UUID), expiry in ms since 1970; of an app's session also
 * its client id ("-" for none) and its scopes. The admission script reads user and client.
 */
export function encodeSession(session: TokenSession, expiresAt: number): string {
  const { userId = NOBODY, sessionId, clientId, scopes } = session;
  const granted = clientId || scopes ? ` ${clientId ?? "-"} ${scopes?.join(",") ?? ""}` : "";
  return `${userId}${sessionId}${expiresAt}${granted}`;
}

const SESSION = /^(\d{19})([0-9a-f-]{36})(\d{13})(?: (\S+) (\S*))?$/;

/** The session in a Redis entry; undefined where it was revoked or has expired. */
export function decodeSession(
  payload: string,
  now = Date.now(),
): (TokenSession & { expiresAt: number }) | undefined {
  const [, userId = "", sessionId = "", expires, clientId, granted] = SESSION.exec(payload) ?? [];
  const expiresAt = Number(expires);
  if (!(expiresAt > now)) return undefined;
  return {
    ...(userId === NOBODY ? {} : { userId }),
    sessionId,
    ...(clientId && clientId !== "-" ? { clientId } : {}),
    ...(granted === undefined ? {} : { scopes: granted.split(",").filter(isScope) }),
    expiresAt,
  };
}

/** The bucket that a session is stored in: its user's, or its app's. */
export function bucketOfSession({ userId, clientId = "" }: TokenSession): number {
  return userId ? bucketOf(userId) : (bucketOfClient(clientId) ?? 0);
}
