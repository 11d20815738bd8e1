import type { Granularity, TweetCount } from "../../contracts/search.ts";

export const WIDTH_MS: Record<Granularity, number> = {
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
};

/**
 * Counts by slot as a series without gaps: a bucket for each whole minute, hour or day (UTC), the first and the last cut
 * off where the range is. `counts` maps slots (whole widths since 1970) to tweets. Times in ms since 1970. Pure.
 */
export function series(
  { startMs, endMs }: { startMs: number; endMs: number },
  widthMs: number,
  counts: ReadonlyMap<number, number>,
): TweetCount[] {
  const buckets: TweetCount[] = [];
  for (let slot = Math.floor(startMs / widthMs); slot * widthMs < endMs; slot++) {
    buckets.push({
      start: new Date(Math.max(startMs, slot * widthMs)).toISOString(),
      end: new Date(Math.min(endMs, (slot + 1) * widthMs)).toISOString(),
      tweet_count: counts.get(slot) ?? 0,
    });
  }
  return buckets;
}
