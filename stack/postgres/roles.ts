/** What a data directory says of itself while nothing runs. */
export interface Found {
  id: string;
  /** Whether it holds a database at all. */
  exists: boolean;
  /** Whether it would start as a standby. */
  standby: boolean;
  /** The newest timeline in its WAL; 0 without any. */
  timeline: number;
}

/**
 * Who of a shard's stopped members is the primary, and whose directories must be copied from it anew. `last` was the
 * primary when that was last written down. Two directories that would start as primaries mean a promotion: the later
 * timeline holds the truth. None that would means that a failover had fenced the last one and promoted nobody yet.
 */
export function assignRoles(members: Found[], last: string): { primary: string; stale: string[] } {
  const claimants = members.filter(({ exists, standby }) => exists && !standby);
  const latest = claimants.toSorted((a, b) => b.timeline - a.timeline)[0];
  const primary = latest ?? members.find(({ id }) => id === last) ?? members[0];
  if (primary === undefined) throw new Error("a shard needs at least one server");
  const promoted = claimants.length > 1 || primary.id !== last;
  const isStale = ({ exists, timeline }: Found) => promoted || !exists || timeline > primary.timeline;
  return {
    primary: primary.id,
    stale: members.filter((each) => each !== primary && isStale(each)).map(({ id }) => id),
  };
}
