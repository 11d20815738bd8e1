/** Every event that crosses the broker, and its payload. An event is a nudge: losing one only costs time. */
export interface EventMap {
  /** Jobs of these kinds were committed to a shard's outbox. */
  "outbox.ready": { shard: string; kinds: string[] };
}

export type EventName = keyof EventMap;
