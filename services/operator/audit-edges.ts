import { newestFirst } from "../../mixins/shard-db/ids.ts";
import type { Id } from "../contracts/users.ts";
import type { EdgeKey } from "../graph/edges.repo.ts";

/** The edges of one kind whose sources are in one bucket, summed up: how many, and the sum of their 64-bit hashes. */
export interface EdgeSum {
  kind: string;
  bucket: number;
  /** On the shard that owns them, under the right bucket. Those that are not count for nothing. */
  placed: boolean;
  rows: string;
  sum: string;
}

/** A row of either side. */
export interface EdgeRow extends EdgeKey {
  id: Id;
}

/** An edge of which the two sides hold different ids; null: no row. */
export interface EdgeDifference extends EdgeKey {
  forward: Id | null;
  mirror: Id | null;
}

/**
 * The buckets in which forward edges and mirrors differ. The mirrors of a bucket's edges are spread over all shards, so
 * the sums of several shards are added up. Pure.
 */
export function differingBuckets(forward: EdgeSum[], mirrors: EdgeSum[]): number[] {
  const balance = new Map<string, { bucket: number; rows: bigint; sum: bigint }>();
  for (const [sums, sign] of [
    [forward, 1n],
    [mirrors, -1n],
  ] as const) {
    for (const { kind, bucket, placed, rows, sum } of sums) {
      if (!placed) continue;
      const at = `${kind} ${bucket}`;
      const known = balance.get(at) ?? { bucket, rows: 0n, sum: 0n };
      known.rows += sign * BigInt(rows);
      known.sum += sign * BigInt(sum);
      balance.set(at, known);
    }
  }
  const differing = [...balance.values()].filter(({ rows, sum }) => rows !== 0n || sum !== 0n);
  return [...new Set(differing.map(({ bucket }) => bucket))].sort((a, b) => a - b);
}

/** How many rows are out of place. Pure. */
export function astray(sums: EdgeSum[]): bigint {
  return sums.reduce((rows, sum) => (sum.placed ? rows : rows + BigInt(sum.rows)), 0n);
}

/** The order in which both sides are read: by source, kind (as text) and destination. */
export function edgeOrder(a: EdgeKey, b: EdgeKey): number {
  return (
    newestFirst(b.src, a.src) || (a.kind < b.kind ? -1 : a.kind > b.kind ? 1 : 0) || newestFirst(b.dst, a.dst)
  );
}

/** Merges streams that are sorted by edgeOrder into one. */
export async function* mergeSorted(streams: AsyncIterator<EdgeRow>[]): AsyncGenerator<EdgeRow> {
  const heads = await Promise.all(
    streams.map(async (stream) => ({ stream, row: (await stream.next()).value })),
  );
  while (true) {
    let least: { stream: AsyncIterator<EdgeRow>; row: EdgeRow | undefined } | undefined;
    for (const head of heads)
      if (head.row && (!least?.row || edgeOrder(head.row, least.row) < 0)) least = head;
    if (!least?.row) return;
    yield least.row;
    least.row = (await least.stream.next()).value;
  }
}

/** Walks along both sides, each sorted by edgeOrder, and yields the edges of which they hold different ids. */
export async function* differences(
  forward: AsyncIterator<EdgeRow>,
  mirrors: AsyncIterator<EdgeRow>,
): AsyncGenerator<EdgeDifference> {
  let [a, b]: (EdgeRow | undefined)[] = [(await forward.next()).value, (await mirrors.next()).value];
  while (a || b) {
    const order = !a ? 1 : !b ? -1 : edgeOrder(a, b);
    const [left, right] = [order <= 0 ? a : undefined, order >= 0 ? b : undefined];
    const either = left ?? right;
    if (either && left?.id !== right?.id) {
      const { src, kind, dst } = either;
      yield { src, kind, dst, forward: left?.id ?? null, mirror: right?.id ?? null };
    }
    if (left) a = (await forward.next()).value;
    if (right) b = (await mirrors.next()).value;
  }
}
