import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import { isOutage, sqlState } from "../../../mixins/shard-db/pools.ts";
import { type MapEntry, nextEpoch } from "./map.ts";
import { decide, fence, keepArrival, now, openFence, openSnapshot, setMarker } from "./moves.repo.ts";
import type { Move } from "./moving.ts";
import { bringMap } from "./servers.repo.ts";
import { ShardsError } from "./servers.ts";

/** ms for which writers were held up, each time; the last one is that of the decision. */
export type Pauses = number[];

/**
 * ms. Writers who are in the buckets are given `lock`; what they wrote last must have arrived `whole` after the fence was
 * asked for; the server ends the fence after `server`, whatever has become of the mover.
 */
const BOUNDS = { lock: 100, whole: 600, server: 1_000 } as const;
/** The target follows closely enough for a fence (ms). */
const NEAR_MS = 100;
const TRIES = 60;
const LOOK_EVERY_MS = 2;
/** Longer each time, so that writers who wait get through in between (ms). */
const restMs = (tries: number): number => Math.min(2_000, 200 * tries);

/** A deadlock with writers; a mover that was not in time itself, whose transaction was ended. Locks not had are an outage. */
const AGAIN = new Set(["40P01", "25P04"]);

class NotInTime extends Error {}

/**
 * Gives the buckets of a move away: see move.ts. Returns the pauses of writers, and a connection to the target with a
 * snapshot from before it took the map; the caller ends it. Throws where it was not decided, or where that is not known
 * (see settle); nothing is held then.
 */
export async function cutOver(
  move: Move,
  map: readonly MapEntry[],
  catchUp: () => Promise<number>,
  signal?: AbortSignal,
): Promise<{ pauses: Pauses; snapshot: pg.Client }> {
  const { servers, source, target } = move;
  await servers.requireInCharge(source.shard);
  await servers.requireInCharge(target.shard);
  const pauses: Pauses = [];
  for (let tries = 1; tries <= TRIES; tries++) {
    const lagMs = await catchUp();
    move.onMove({ step: "fence", lagMs });
    signal?.throwIfAborted();
    if (lagMs < NEAR_MS) {
      const [gate, snapshot] = await Promise.all([
        servers.connect(source.shard),
        servers.connect(target.shard),
      ]);
      const pause = await tryOnce(move, gate, snapshot, map);
      pauses.push(pause.ms);
      move.onMove({ step: pause.decided ? "decided" : "fence", pauseMs: pause.ms });
      if (pause.decided) return { pauses, snapshot };
    }
    await sleep(restMs(tries), undefined, { signal });
  }
  throw new ShardsError(
    `writers of these buckets, or ${target.shard}, were never done in time: tried ${TRIES} times`,
  );
}

/** Ends the gate, and where it was not decided the snapshot. */
async function tryOnce(
  move: Move,
  gate: pg.Client,
  snapshot: pg.Client,
  map: readonly MapEntry[],
): Promise<{ decided: boolean; ms: number }> {
  const { id, servers, source, target, range, onMove } = move;
  const epoch = nextEpoch(servers.epoch);
  let begun = performance.now();
  let [committing, decided] = [false, false];
  try {
    await openFence(gate, { lockMs: BOUNDS.lock, wholeMs: BOUNDS.server });
    begun = performance.now();
    const last = await fence(gate, range);
    onMove({ step: "marker" });
    const marker = await setMarker(source.client, id);
    await arrival(move, marker, last, begun + BOUNDS.whole);
    await openSnapshot(snapshot);
    onMove({ step: "decide" });
    if (!(await decide(gate, { id, map, epoch, before: servers.epoch })))
      throw new ShardsError("the shard map was changed meanwhile");
    committing = true;
    await gate.query("COMMIT");
    decided = true;
    onMove({ step: "decided" });
    await bringMap(target.client, epoch, map);
  } catch (error) {
    const late = error instanceof NotInTime || AGAIN.has(sqlState(error) ?? "") || isOutage(error);
    if (committing || !late) throw error;
  } finally {
    // Ends the transaction, if it is still open: writers go on.
    await gate.end().catch(() => {});
    if (!decided) await snapshot.end().catch(() => {});
  }
  return { decided, ms: performance.now() - begun };
}

/** Waits until a marker is durable on the target, and the clock there has passed the last moment of the source's writers. */
async function arrival({ id, target }: Move, marker: number, last: Date, until: number): Promise<void> {
  let at = await keepArrival(target.client, id, marker);
  while (!at || at.getTime() <= last.getTime()) {
    if (performance.now() > until) throw new NotInTime();
    await sleep(LOOK_EVERY_MS);
    at = at ? await now(target.client) : await keepArrival(target.client, id, marker);
  }
}
