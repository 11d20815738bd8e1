import type pg from "pg";
import type { BucketRange } from "../../../config/topology.ts";
import type { MapEntry } from "./map.ts";

/** A move as the shard that gives the buckets away keeps it. */
export interface MoveRow {
  id: string;
  first: number;
  last: number;
  target: string;
  step: string;
  /** oid of the subscription on the target. */
  subscription: number | null;
  marker: number;
  decided_epoch: number | null;
  /** ms. */
  pauses: number[];
  began_at: Date;
  ended_at: Date | null;
  outcome: "moved" | "taken back" | null;
}

const MOVE = `id, first, last, target, step, subscription::int, marker, decided_epoch::float8, pauses, began_at, ended_at, outcome`;

/** The move away from this shard that has not ended. */
export async function moveUnderWay(source: pg.ClientBase): Promise<MoveRow | undefined> {
  const { rows } = await source.query<MoveRow>(`SELECT ${MOVE} FROM moves WHERE ended_at IS NULL`);
  return rows[0];
}

/**
 * The same once no transaction is about to decide it: the commit of a mover that died may still be under way (at a
 * synchronous replica), and holds the row.
 */
export async function moveLeftOver(source: pg.ClientBase): Promise<MoveRow | undefined> {
  const { rows } = await source.query<MoveRow>(`SELECT ${MOVE} FROM moves WHERE ended_at IS NULL FOR UPDATE`);
  return rows[0];
}

/** The moves away from this shard that ended last, newest first. */
export async function endedMoves(source: pg.ClientBase, limit: number): Promise<MoveRow[]> {
  const { rows } = await source.query<MoveRow>(
    `SELECT ${MOVE} FROM moves WHERE ended_at IS NOT NULL ORDER BY ended_at DESC LIMIT $1`,
    [limit],
  );
  return rows;
}

export async function beginMove(
  source: pg.ClientBase,
  { id, range: [first, last], target }: { id: string; range: BucketRange; target: string },
): Promise<void> {
  await source.query("INSERT INTO moves (id, first, last, target, step) VALUES ($1, $2, $3, $4, 'prepare')", [
    id,
    first,
    last,
    target,
  ]);
}

export async function noteStep(source: pg.ClientBase, id: string, step: string): Promise<void> {
  await source.query("UPDATE moves SET step = $2 WHERE id = $1", [id, step]);
}

export async function noteSubscription(source: pg.ClientBase, id: string, oid: number): Promise<void> {
  await source.query("UPDATE moves SET subscription = $2 WHERE id = $1", [id, oid]);
}

/** A pause that came to nothing, or the one of the decision (ms). */
export async function notePause(source: pg.ClientBase, id: string, ms: number): Promise<void> {
  await source.query("UPDATE moves SET pauses = pauses || $2::real WHERE id = $1", [id, ms]);
}

export async function endMove(
  source: pg.ClientBase,
  id: string,
  outcome: "moved" | "taken back",
): Promise<void> {
  await source.query(
    "UPDATE moves SET ended_at = clock_timestamp(), outcome = $2, step = 'ended' WHERE id = $1",
    [id, outcome],
  );
}

/** Tells all nodes that a range may leave any moment. */
export async function announce(source: pg.ClientBase, [first, last]: BucketRange): Promise<void> {
  await source.query("UPDATE placement SET leaving = leaving + int4multirange(int4range($1, $2, '[]'))", [
    first,
    last,
  ]);
}

/** Tells them that nothing does. */
export async function unannounceAll(source: pg.ClientBase): Promise<void> {
  await source.query("UPDATE placement SET leaving = '{}' WHERE leaving <> '{}'");
}

/** Sets the next marker and returns its number. */
export async function setMarker(source: pg.ClientBase, move: string): Promise<number> {
  const { rows } = await source.query<{ marker: number }>(
    `WITH next AS (UPDATE moves SET marker = marker + 1 WHERE id = $1 RETURNING marker)
     INSERT INTO move_markers (move, number) SELECT $1, marker FROM next
     ON CONFLICT (move) DO UPDATE SET number = excluded.number RETURNING number AS marker`,
    [move],
  );
  const [row] = rows;
  if (!row) throw new Error(`move ${move} is not known on its source any more`);
  return row.marker;
}

/** Whether a marker, and so everything that was committed before it, has been applied here. */
export async function hasMarker(target: pg.ClientBase, move: string, number: number): Promise<boolean> {
  const { rows } = await target.query<{ yes: boolean }>(
    "SELECT EXISTS (SELECT FROM move_markers WHERE move = $1 AND number >= $2) AS yes",
    [move, number],
  );
  return rows[0]?.yes ?? false;
}

/**
 * If a marker has been applied here, makes that durable, together with everything before it, and returns what this
 * server's clock says; else undefined.
 */
export async function keepArrival(
  target: pg.ClientBase,
  move: string,
  number: number,
): Promise<Date | undefined> {
  const { rows } = await target.query<{ at: Date }>(
    `INSERT INTO move_arrivals (move, number) SELECT move, number FROM move_markers WHERE move = $1 AND number >= $2
     ON CONFLICT (move) DO UPDATE SET number = excluded.number RETURNING clock_timestamp() AS at`,
    [move, number],
  );
  return rows[0]?.at;
}

/** Whether an arrival was kept here. */
export async function hasArrival(target: pg.ClientBase, move: string, number: number): Promise<boolean> {
  const { rows } = await target.query<{ yes: boolean }>(
    "SELECT EXISTS (SELECT FROM move_arrivals WHERE move = $1 AND number >= $2) AS yes",
    [move, number],
  );
  return rows[0]?.yes ?? false;
}

/** Forgets markers and arrivals of a move. */
export async function forgetMarkers(client: pg.ClientBase, move: string): Promise<void> {
  await client.query("DELETE FROM move_markers WHERE move = $1", [move]);
  await client.query("DELETE FROM move_arrivals WHERE move = $1", [move]);
}

export async function now(client: pg.ClientBase): Promise<Date> {
  const { rows } = await client.query<{ at: Date }>("SELECT clock_timestamp() AS at");
  return rows[0]?.at ?? new Date(Number.NaN);
}

/** How long the fence may wait for writers who are in the buckets, and how long it may last altogether (ms). */
export interface FenceBounds {
  lockMs: number;
  wholeMs: number;
}

/**
 * Opens the transaction that fences; the server itself ends it, and lets the writers go on, where the mover does not come
 * back in time.
 */
export async function openFence(source: pg.ClientBase, { lockMs, wholeMs }: FenceBounds): Promise<void> {
  await source.query(
    `BEGIN; SET LOCAL transaction_timeout = ${wholeMs}; SET LOCAL lock_timeout = ${lockMs}; SET LOCAL statement_timeout = ${2 * lockMs}`,
  );
}

/** Holds up writers from here on; by the source's clock, when there were none any more. Fails with 55P03 or 57014. */
export async function fence(source: pg.ClientBase, [first, last]: BucketRange): Promise<Date> {
  const { rows } = await source.query<{ at: Date }>("SELECT fence_buckets($1, $2) AS at", [first, last]);
  return rows[0]?.at ?? new Date(Number.NaN);
}

/** Gives the buckets away, in the transaction that fences. False where the map is not the one that was expected. */
export async function decide(
  source: pg.ClientBase,
  { id, map, epoch, before }: { id: string; map: readonly MapEntry[]; epoch: number; before: number },
): Promise<boolean> {
  const { rows } = await source.query<{ taken: boolean }>(
    `WITH noted AS (UPDATE moves SET decided_epoch = $2, step = 'decided' WHERE id = $1 AND ended_at IS NULL RETURNING id)
     SELECT epoch = $4 AND adopt_map($2, $3) AS taken FROM placement, noted`,
    [id, epoch, JSON.stringify(map), before],
  );
  return rows[0]?.taken ?? false;
}

/** A transaction that sees this shard as of now until it is ended. */
export async function openSnapshot(client: pg.ClientBase): Promise<void> {
  await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; SELECT 1");
}
