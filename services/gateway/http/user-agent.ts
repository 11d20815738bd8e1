import type { IncomingMessage } from "node:http";
import { limits } from "../../../config/limits.ts";

/** What a client calls itself, for its owner's list of sessions: printable, and not too long. */
export function userAgentOf({ headers }: IncomingMessage): string | undefined {
  const agent = headers["user-agent"]?.replaceAll(/[^\x20-\x7e]/g, "").slice(0, limits.userAgent);
  return agent === "" ? undefined : agent;
}
