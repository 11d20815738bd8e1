/** Sends HTTP requests, chosen at random, over so many kept-alive connections, each after the answer to the last. */
export interface HttpJob {
  kind: "http";
  port: number;
  connections: number;
  seconds: number;
  /** Whole requests, as they go over the wire. */
  requests: string[];
}

/** Inserts single rows into a table of its own, each in a transaction of its own. */
export interface InsertJob {
  kind: "insert";
  postgresUrl: string;
  connections: number;
  seconds: number;
  text: string;
}

/** Pushes ids onto lists of its own, so many lists a call. */
export interface PushJob {
  kind: "push";
  redisUrl: string;
  /** Calls that are sent without waiting for the answer to the one before. */
  width: number;
  seconds: number;
  lists: number;
  entries: number;
  keysPerCall: number;
}

export type Job = HttpJob | InsertJob | PushJob;

export interface JobResult {
  /** Answered requests, inserted rows or pushed entries. */
  done: number;
  elapsedMs: number;
  /** Of single requests, rows or calls, in ms. */
  p50: number;
  p99: number;
}

/** Repeats `step` on so many lanes at a time for so many seconds, once at least. `step` returns how much it did. */
export async function drive(
  lanes: number,
  seconds: number,
  step: (lane: number) => Promise<number>,
): Promise<JobResult> {
  const latencies: number[] = [];
  const startedAt = performance.now();
  const until = startedAt + seconds * 1000;
  let done = 0;
  const lane = async (number: number) => {
    let sentAt = startedAt;
    do {
      // In two steps: `done += await …` would read the sum before the wait.
      const more = await step(number);
      done += more;
      const answeredAt = performance.now();
      latencies.push(answeredAt - sentAt);
      sentAt = answeredAt;
    } while (sentAt < until);
  };
  await Promise.all(Array.from({ length: lanes }, (_, number) => lane(number)));
  const elapsedMs = performance.now() - startedAt;
  const sorted = Float64Array.from(latencies).sort();
  const at = (part: number) => sorted[Math.floor(part * (sorted.length - 1))] ?? 0;
  return { done, elapsedMs, p50: at(0.5), p99: at(0.99) };
}
