import type { Id } from "./users.ts";

/** Every event that crosses the broker, and its payload. No acknowledged write relies on one arriving. */
export interface EventMap {
  /** Jobs of these kinds were committed to a shard's outbox. */
  "outbox.ready": { shard: string; kinds: string[] };
  /** An operator stops all drains (jobs wait in the outbox), or has them go on. A node that starts is not paused. */
  "outbox.pause": { paused: boolean };
  /** Whose rules of the filtered stream have changed. */
  "stream.rules": { owner: string };
  /** Who follows somebody else than before. */
  "graph.followed": { user_id: Id };
}

export type EventName = keyof EventMap;
