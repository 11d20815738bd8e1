/** How a refresh token stands to the session of its family. */
export interface RefreshStanding {
  /** It is the session's latest. */
  current: boolean;
  /** It is the one before, and what it was exchanged for got lost on the way, a short while ago. */
  lost: boolean;
  /** It was the latest when this request first looked: another one was faster. */
  overtaken: boolean;
}

/**
 * What to do with a refresh token. It is exchanged once. Where it comes again, somebody has a copy, and nobody can tell
 * which of the two is the thief: the session ends (RFC 9700, section 4.14.2). Not so where it came twice at the same
 * time: the later request is refused. Nor where the gateway saw that its answer did not reach the client: then the client
 * may ask once more. Pure.
 */
export function judgeRefresh({ current, lost, overtaken }: RefreshStanding): "exchange" | "refuse" | "end" {
  if (current || lost) return "exchange";
  return overtaken ? "refuse" : "end";
}
