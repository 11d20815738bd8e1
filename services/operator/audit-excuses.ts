import { RELATION_KINDS } from "../contracts/edges.ts";
import type { Id } from "../contracts/users.ts";
import type { Entry, Fault } from "./audit-entries.ts";

/** Whose entries are about to be put right, because a job that does so is queued. */
export interface Excuses {
  /** Users whose relations have changed. */
  related: ReadonlySet<string>;
  tweets: ReadonlySet<string>;
  profiles: ReadonlySet<string>;
  sessions: ReadonlySet<string>;
  /** Authors who change between push and pull. */
  authors: ReadonlySet<string>;
}

/** What queued jobs excuse. Pure. */
export function excusesOf(jobs: { kind: string; key: unknown }[]): Excuses {
  const named = (kind: string, field: string, among?: (key: Record<string, unknown>) => boolean) =>
    jobs.flatMap((job) => {
      const key: Record<string, unknown> = { ...Object(job.key) };
      return job.kind === kind && (!among || among(key)) ? String(key[field]) : [];
    });
  const relation = ({ kind }: Record<string, unknown>) => RELATION_KINDS.some((known) => known === kind);
  return {
    related: new Set([...named("edge", "src", relation), ...named("edge", "dst", relation)]),
    tweets: new Set(named("tweet", "id")),
    profiles: new Set(named("profile", "id")),
    sessions: new Set(named("session", "hash")),
    authors: new Set(named("mode", "author")),
  };
}

/** What is left of a fault that no job is about to mend. Pure. */
export function unexcused({ name, owner }: Entry, fault: Fault, excuses: Excuses): Fault | undefined {
  switch (name) {
    case "following":
    case "blocked":
    case "muted":
      return excuses.related.has(owner) ? undefined : fault;
    case "pulled":
      return without(fault, excuses.authors);
    case "home":
      return excuses.related.has(owner) ? undefined : without(fault, excuses.tweets);
    case "author":
      return without(fault, excuses.tweets);
    case "state":
    case "tweet":
      return excuses.tweets.has(owner) ? undefined : fault;
    case "user":
      return excuses.profiles.has(owner) ? undefined : fault;
    case "session":
      return excuses.sessions.has(owner) ? undefined : fault;
  }
}

function without({ lacks, extra, fault }: Fault, excused: ReadonlySet<Id>): Fault | undefined {
  const left = {
    lacks: lacks.filter((id) => !excused.has(id)),
    extra: extra.filter((id) => !excused.has(id)),
    ...(fault ? { fault } : {}),
  };
  return fault || left.lacks.length + left.extra.length > 0 ? left : undefined;
}
