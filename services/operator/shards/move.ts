/**
 * Moves a range of buckets from one shard to another, while people write.
 *
 *   prepare ─ announce ─ copy ─ compare ─ fence ─┬─ DECIDED ─ adopt ─ compare-exactly ─ unsubscribe ─ clean ─ ended (moved)
 *      │         │         │       │        ↑    │
 *      │         │         │       │        └────┘ not in time: writers go on, and it is tried again
 *      └─────────┴─────────┴───────┴─ whatever goes wrong: taken back ─ ended (taken back)
 *
 * prepare      a row in `moves` on the source: from here on whoever finds it knows that something must be put in order
 * announce     nodes check their reads of the source from now on; the fence comes 4 s later at the earliest
 * copy         logical replication, filtered by bucket: what is there, then what is written
 * compare      counts and checksums of both sides, repeated where people write
 * fence        writers of the range wait; all that they had written arrives at the target and is durable there; then one
 *              commit on the source gives the buckets away. THAT COMMIT IS THE DECISION: before it everything can be taken
 *              back, after it only be finished. It is found again in the shard map itself.
 * adopt        the target takes the map (writers go on there), then the other shards; nodes do the same
 * compare-exactly  the source's rows are frozen; the target's are those of a snapshot from before it took the map
 * unsubscribe  before anything is deleted, or the deletions would be replicated
 * clean        the source's rows are deleted
 *
 * A mover that dies loses its connections, and with them the fence and the lock on movers; `settle.ts` does the rest.
 */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import type { BucketRange } from "../../../config/topology.ts";
import { isOutage } from "../../../mixins/shard-db/pools.ts";
import { cutOver, type Pauses } from "./cut-over.ts";
import { ownerOf, withRangeAt } from "./map.ts";
import {
  announce,
  beginMove,
  hasMarker,
  notePause,
  noteStep,
  noteSubscription,
  now,
  setMarker,
} from "./moves.repo.ts";
import { type Move, type OnMove, WAITS, type Waits } from "./moving.ts";
import { copyState, lagBytes, publish, subscribe } from "./replication.repo.ts";
import { deleteAstray, estimatedRows, tableNames } from "./rows.repo.ts";
import { type ShardServers, ShardsError } from "./servers.ts";
import { DIFFERS, differs, finish, note, settle } from "./settle.ts";
import { unknownTables } from "./tables.ts";
import { compareExactly, compareLive, RowsDiffer, requireSameColumns } from "./verify.ts";

export interface MoveOptions {
  range: BucketRange;
  to: string;
  onMove: OnMove;
  /** Takes the move back where it has not been decided yet. */
  signal?: AbortSignal;
  waits?: Waits;
}

/** A clock that is further behind would hold up the fence (ms). */
const CLOCK_BEHIND_MS = 250;
const COPY_LOOK_MS = 200;
/** A marker that takes longer tells that the target does not follow (ms). */
const CATCH_UP_MS = 60_000;
const MARKER_LOOK_MS = 3;

/**
 * Moves a range. The caller has excluded other movers and settled what they left. Returns how long writers were held up
 * (ms). Throws ShardsError or MapError where it cannot be done, having taken back what it had begun.
 */
export async function moveBuckets(servers: ShardServers, options: MoveOptions): Promise<Pauses> {
  const { range, to, onMove, signal, waits = WAITS } = options;
  const owner = ownerOf(servers.map, range);
  if (owner === to) return [];
  const map = withRangeAt(servers.map, range, to);
  const id = randomBytes(6).toString("hex");
  const move: Move = {
    id,
    range,
    source: servers.primary(owner),
    target: servers.primary(to),
    servers,
    onMove,
    waits,
  };
  try {
    await prepare(move);
    signal?.throwIfAborted();
    const announcedAt = await announced(move);
    await copy(move, signal);
    await compare(move, signal);
    await sleep(Math.max(0, announcedAt + waits.announced - Date.now()), undefined, { signal });
    const { pauses, snapshot } = await cutOver(move, map, () => catchUp(move, signal), signal);
    try {
      for (const pause of pauses) await notePause(move.source.client, id, pause);
      await compareFrozen(move, snapshot);
    } finally {
      await snapshot.end();
    }
    await finish(move);
    return pauses;
  } catch (error) {
    await putInOrder(move, error);
    throw error;
  }
}

/** Does what can be done at once; the rest a second run does, or `abort`. */
async function putInOrder(move: Move, error: unknown): Promise<void> {
  if (Error.isError(error) && error.cause instanceof RowsDiffer) return;
  await settle(move).catch((again: unknown) => {
    const both = new Set([error, again].map(inWords));
    throw new ShardsError(
      `${[...both].join("; putting things in order failed too: ")}: run \`npm run shards -- abort\``,
      { cause: error },
    );
  });
}

async function prepare(move: Move): Promise<void> {
  const { id, range, source, target, onMove } = move;
  await beginMove(source.client, { id, range, target: target.shard });
  onMove({ step: "prepare" });
  const unknown = unknownTables(await tableNames(source.client));
  if (unknown.length > 0) throw new ShardsError(`nobody has said whether rows of ${unknown.join(", ")} move`);
  await requireSameColumns(source.client, target.client);
  const behind = (await now(source.client)).getTime() - (await now(target.client)).getTime();
  if (behind > CLOCK_BEHIND_MS) {
    throw new ShardsError(
      `the clock of ${target.shard} is ${behind} ms behind that of ${source.shard}: ids would go back`,
    );
  }
  await deleteAstray(target.client, range, ({ pages, of }) =>
    onMove({ step: "prepare", note: `what lies on the target: page ${pages} of ${of}` }),
  );
}

/** Returns when it was (ms since 1970, by this machine's clock). */
async function announced(move: Move): Promise<number> {
  await note(move, "announce");
  await announce(move.source.client, move.range);
  return Date.now();
}

async function copy(move: Move, signal?: AbortSignal): Promise<void> {
  const { id, range, source, target, onMove } = move;
  const of = await estimatedRows(source.client, range);
  await note(move, "publish");
  await publish(source.client, id, range);
  await note(move, "copy");
  await noteSubscription(source.client, id, await subscribe(target.client, id, source.url));
  let rows = 0;
  for (;;) {
    const state = await copyState(target.client, id);
    if (state.failed)
      throw new ShardsError(`the subscription on ${target.shard} failed: see its server's log`);
    rows = Math.max(rows, state.rows);
    const note = `${state.copied} of ${state.tables} tables`;
    onMove({ step: "copy", note, rows, of, bytes: state.bytes, lagBytes: await lagBytes(source.client, id) });
    if (state.copied === state.tables) return;
    await sleep(COPY_LOOK_MS, undefined, { signal });
  }
}

async function compare(move: Move, signal?: AbortSignal): Promise<void> {
  await note(move, "compare");
  const { source, target, range, onMove } = move;
  const caughtUp = async () => void (await catchUp(move, signal));
  await compareLive(source.client, target.client, range, caughtUp, (table, done, of) =>
    onMove({ step: "compare", note: `${table}, table ${done + 1} of ${of}` }),
  );
}

async function compareFrozen(move: Move, snapshot: pg.Client): Promise<void> {
  await note(move, "compare-exactly");
  const { id, source, target, range, onMove } = move;
  try {
    await compareExactly(source.client, snapshot, range, (table, done, of) =>
      onMove({ step: "compare-exactly", note: `${table}, table ${done + 1} of ${of}` }),
    );
  } catch (error) {
    if (!(error instanceof RowsDiffer)) throw error;
    await noteStep(source.client, id, DIFFERS);
    throw new ShardsError(`${error.message}. ${differs(id, source.shard, target.shard)}`, { cause: error });
  }
}

function inWords(error: unknown): string {
  if (isOutage(error)) return "a server went away";
  return Error.isError(error) ? error.message : String(error);
}

/** Returns once the target has everything that was committed on the source before; in ms, how long that took. */
async function catchUp({ id, source, target }: Move, signal?: AbortSignal): Promise<number> {
  const begun = performance.now();
  const marker = await setMarker(source.client, id);
  while (!(await hasMarker(target.client, id, marker))) {
    const took = performance.now() - begun;
    if (took > 1_000 && (await copyState(target.client, id)).failed) {
      throw new ShardsError(`the subscription on ${target.shard} failed: see its server's log`);
    }
    if (took > CATCH_UP_MS)
      throw new ShardsError(`${target.shard} does not follow: behind by more than ${CATCH_UP_MS} ms`);
    await sleep(took > 100 ? 50 : MARKER_LOOK_MS, undefined, { signal });
  }
  return performance.now() - begun;
}
