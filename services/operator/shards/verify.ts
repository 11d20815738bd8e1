import type pg from "pg";
import type { BucketRange } from "../../../config/topology.ts";
import { columnsOf, type Sums, sumsOf } from "./rows.repo.ts";
import { PLACED, type PlacedTable } from "./tables.ts";

/** A bucket that is written at each look is left to the comparison after the fence. */
const LOOKS = 6;

/** What a range holds of a table, on both sides; the target's was looked at once all of the source's had arrived. */
export interface Look {
  source: Sums;
  target: Sums;
}

/** The buckets in which the two sides differ. Pure. */
export function differing({ source, target }: Look): number[] {
  return [...new Set([...source.keys(), ...target.keys()])].filter(
    (bucket) => source.get(bucket) !== target.get(bucket),
  );
}

/**
 * The buckets that differ at both looks although nobody has written to them in between: what merely was on its way has
 * arrived since. Pure.
 */
export function stuck(before: Look, now: Look): number[] {
  return differing(now).filter(
    (bucket) =>
      before.source.get(bucket) === now.source.get(bucket) &&
      before.target.get(bucket) === now.target.get(bucket),
  );
}

/** Rows of a table that are not the same on both sides. */
export class RowsDiffer extends Error {
  override name = "RowsDiffer";

  constructor(table: string, buckets: readonly number[]) {
    super(
      `${table}: source and target differ in ${buckets.length} buckets: ${buckets.slice(0, 8).join(", ")}`,
    );
  }
}

/**
 * Compares a range while it is written to. `caughtUp` returns once the target has what the source has now. Throws
 * RowsDiffer where a bucket stays different though nobody writes to it.
 */
export async function compareLive(
  source: pg.ClientBase,
  target: pg.ClientBase,
  range: BucketRange,
  caughtUp: () => Promise<void>,
  onTable: (table: string, done: number, of: number) => void,
): Promise<void> {
  for (const [i, table] of PLACED.entries()) {
    onTable(table.name, i, PLACED.length);
    const columns = await columnsOf(source, table);
    let before: Look | undefined;
    for (let looks = 0; looks < LOOKS; looks++) {
      const buckets = before && differing(before);
      if (buckets?.length === 0) break;
      const there = await sumsOf(source, table, columns, range, buckets);
      await caughtUp();
      const now: Look = { source: there, target: await sumsOf(target, table, columns, range, buckets) };
      const left = before ? stuck(before, now) : [];
      if (left.length > 0) throw new RowsDiffer(table.name, left);
      before = now;
    }
  }
}

/** Compares a range that nobody writes to. Throws RowsDiffer. */
export async function compareExactly(
  source: pg.ClientBase,
  target: pg.ClientBase,
  range: BucketRange,
  onTable: (table: string, done: number, of: number) => void,
): Promise<void> {
  for (const [i, table] of PLACED.entries()) {
    onTable(table.name, i, PLACED.length);
    const columns = await columnsOf(source, table);
    const look = {
      source: await sumsOf(source, table, columns, range),
      target: await sumsOf(target, table, columns, range),
    };
    const wrong = differing(look);
    if (wrong.length > 0) throw new RowsDiffer(table.name, wrong);
  }
}

/** Throws where a table has other columns on the one shard than on the other. */
export async function requireSameColumns(source: pg.ClientBase, target: pg.ClientBase): Promise<void> {
  const columns = async (client: pg.ClientBase, table: PlacedTable) =>
    (await columnsOf(client, table)).join(", ");
  for (const table of PLACED) {
    if ((await columns(source, table)) === (await columns(target, table))) continue;
    throw new Error(`${table.name} has other columns on the target than on the source: migrate both first`);
  }
}
