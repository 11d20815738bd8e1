import type { Id } from "../contracts/users.ts";
import type { EdgeKey } from "../graph/edges.repo.ts";

/** An edge whose two rows disagree: the id that each holds, null where it is missing. */
export interface MirrorFinding extends EdgeKey {
  check: "mirror";
  forward: Id | null;
  mirror: Id | null;
}

/** A follow that stands although one of the two blocks the other. */
export interface BlockFinding {
  check: "block";
  src: Id;
  dst: Id;
}

/** A counter (what is folded and what is pending) that is not the number of rows it counts. */
export interface CounterFinding {
  check: "counter";
  shard: string;
  subject: Id;
  name: string;
  value: string;
  rows: string;
}

/** What is wrong with rows that were never moved along with their bucket, or brought to another shard than their own. */
export const ASTRAY = "are in buckets that this shard does not own";

/** Rows that routing does not find where they are. */
export interface PlacementFinding {
  check: "placement";
  shard: string;
  table: string;
  rows: string;
  fault: string;
}

/** A stored Redis entry that readers would believe, and that is not what Postgres holds. */
export interface RedisFinding {
  check: "redis";
  key: string;
  /** Ids that are missing from it. */
  lacks: Id[];
  /** Ids that should not be in it. */
  extra: Id[];
  /** What else is wrong with it. */
  fault?: string;
}

/** A job that was given up, or that is not getting done. */
export interface OutboxFinding {
  check: "outbox";
  shard: string;
  id: Id;
  kind: string;
  key: unknown;
  fault: string;
}

/** One thing that disagrees with what it should agree with. */
export type Finding =
  | MirrorFinding
  | BlockFinding
  | CounterFinding
  | PlacementFinding
  | RedisFinding
  | OutboxFinding;

/** A finding in one line. */
export function describeFinding(finding: Finding): string {
  switch (finding.check) {
    case "mirror": {
      const { src, kind, dst, forward, mirror } = finding;
      const fault = !mirror
        ? "has no mirror"
        : !forward
          ? "is a mirror without an edge"
          : `has id ${forward}, its mirror ${mirror}`;
      return `edge ${src} ${kind} ${dst} ${fault}`;
    }
    case "block":
      return `follow ${finding.src} → ${finding.dst} stands across a block`;
    case "counter":
      return `counter ${finding.name} of ${finding.subject} is ${finding.value}, its rows are ${finding.rows}`;
    case "placement":
      return `${finding.shard}: ${finding.rows} rows of ${finding.table} ${finding.fault}`;
    case "redis": {
      const faults = [...listed("lacks", finding.lacks), ...listed("has", finding.extra)];
      return `${finding.key} ${[...faults, ...(finding.fault ? [finding.fault] : [])].join(", ")}`;
    }
    case "outbox":
      return `${finding.shard}: job ${finding.id} ${finding.kind} ${JSON.stringify(finding.key)} ${finding.fault}`;
  }
}
const SHOWN = 3;

function listed(verb: string, ids: Id[]): string[] {
  if (ids.length === 0) return [];
  const more = ids.length > SHOWN ? ` and ${ids.length - SHOWN} more` : "";
  return [`${verb} ${ids.slice(0, SHOWN).join(" ")}${more}`];
}
