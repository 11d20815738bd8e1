import type { Tweet } from "../contracts/tweets.ts";
import type { Id } from "../contracts/users.ts";
import { existsIn, referenceOf } from "../tweet/references.ts";

/** How a viewer stands to an author. */
export interface Standing {
  followed: boolean;
  /** In either direction. */
  blocked: boolean;
  muted: boolean;
}

/** What decides whether a viewer sees some tweets, as things stand now. */
export interface Known {
  /** The tweets that exist, the originals of retweets included. */
  alive: ReadonlySet<Id>;
  /** Of every author that the tweets name (see authorsNamedBy), the viewer aside. */
  standings: ReadonlyMap<Id, Standing>;
}

/**
 * Whether a tweet belongs into a viewer's home timeline. The author is followed and not hidden, or the viewer; of a
 * retweet the original exists and its author is not hidden either; of a reply the other side is followed too, or one of
 * the two is the viewer. Pure.
 */
export function belongsInHome(viewer: Id, tweet: Tweet, known: Known): boolean {
  const own = tweet.author_id === viewer;
  const standing = known.standings.get(tweet.author_id);
  if (!existsIn(known.alive, tweet)) return false;
  if (!own && (!standing?.followed || isHidden(standing))) return false;
  const original = referenceOf(tweet, "retweeted");
  if (original && isHidden(known.standings.get(original.author_id))) return false;
  const parent = referenceOf(tweet, "replied_to");
  if (!parent || own || parent.author_id === viewer) return true;
  return known.standings.get(parent.author_id)?.followed ?? false;
}

/** Whether a tweet shows on its author's page: it exists, and no block stands between the viewer and whom it retweets. Pure. */
export function belongsOnPage(tweet: Tweet, known: Known): boolean {
  const original = referenceOf(tweet, "retweeted");
  return (
    existsIn(known.alive, tweet) && !(original && known.standings.get(original.author_id)?.blocked === true)
  );
}

/** Whether a tweet shows among search results: as on its author's page, which no block may hide. Pure. */
export function belongsInSearch(tweet: Tweet, known: Known): boolean {
  return belongsOnPage(tweet, known) && known.standings.get(tweet.author_id)?.blocked !== true;
}

/** Whether a tweet shows among mentions: it exists, and its author is not hidden from the viewer. Pure. */
export function belongsInMentions(viewer: Id | undefined, tweet: Tweet, known: Known): boolean {
  const hidden = tweet.author_id !== viewer && isHidden(known.standings.get(tweet.author_id));
  return existsIn(known.alive, tweet) && !hidden;
}

/** The authors whose standing the rules ask for: those of the tweets, of originals and of what is replied to. */
export function authorsNamedBy(tweets: Iterable<Tweet>): Set<Id> {
  const authors = new Set<Id>();
  for (const tweet of tweets) {
    authors.add(tweet.author_id);
    for (const type of ["retweeted", "replied_to"] as const) {
      const reference = referenceOf(tweet, type);
      if (reference) authors.add(reference.author_id);
    }
  }
  return authors;
}

function isHidden(standing: Standing | undefined): boolean {
  return standing !== undefined && (standing.blocked || standing.muted);
}
