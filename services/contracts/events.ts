/** Every event that crosses the broker, and its payload. No acknowledged write relies on one arriving. */
export interface EventMap {
  /** Jobs of these kinds were committed to a shard's outbox. */
  "outbox.ready": { shard: string; kinds: string[] };
  /** An operator stops all drains (jobs wait in the outbox), or has them go on. A node that starts is not paused. */
  "outbox.pause": { paused: boolean };
}

export type EventName = keyof EventMap;
