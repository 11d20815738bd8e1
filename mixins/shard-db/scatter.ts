import { newestFirst } from "./ids.ts";

/** Runs `work` on every item, at most `width` at a time; results in the order of the items. Fails with the first error. */
export async function scatter<T, R>(
  items: Iterable<T>,
  width: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const queue = [...items];
  const results = new Array<R>(queue.length);
  let next = 0;
  const lane = async () => {
    while (next < queue.length) {
      const at = next++;
      const item = queue[at] as T; // at < queue.length
      results[at] = await work(item);
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, queue.length) }, lane));
  return results;
}

/** Merges rows of several shards by id, newest first, each id once, at most `limit`. */
export function mergeById<Row extends { id: string }>(
  lists: readonly (readonly Row[])[],
  limit: number,
): Row[] {
  const merged: Row[] = [];
  for (const row of lists.flat().sort((a, b) => newestFirst(a.id, b.id))) {
    if (merged.length === limit) break;
    if (merged.at(-1)?.id !== row.id) merged.push(row);
  }
  return merged;
}
