import type { Id, Tweet } from "../contracts/actions.ts";
import type { Standing } from "./home-cache.ts";

/** A candidate with everything that decides whether a viewer sees it. */
export interface Candidate {
  tweet: Tweet;
  alive: boolean;
  standing: Standing | undefined;
}

/** Whether a candidate belongs into a viewer's home timeline as things stand now. Pure. */
export function belongsInHome(viewer: Id, { tweet, alive, standing }: Candidate): boolean {
  if (!alive) return false;
  if (tweet.author_id === viewer) return true;
  if (!standing) return false;
  return standing.followed && !standing.blocked && !standing.muted;
}
