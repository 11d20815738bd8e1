import { newestFirst } from "../../../mixins/shard-db/ids.ts";
import type { Id } from "../../contracts/users.ts";

/** The id so much earlier than another; the first of all where there is none. Pure. */
export function earlier(id: Id, ms: number): Id {
  const before = BigInt(id) - (BigInt(ms) << 22n);
  return before > 0n ? String(before) : "1";
}

/** The oldest of some ids; the first of all where there are none. Pure. */
export function oldestOf(ids: readonly Id[]): Id {
  return (
    ids.reduce<Id | undefined>(
      (oldest, id) => (oldest && newestFirst(oldest, id) > 0 ? oldest : id),
      undefined,
    ) ?? "1"
  );
}
