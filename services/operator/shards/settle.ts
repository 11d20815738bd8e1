import { setTimeout as sleep } from "node:timers/promises";
import { BUCKETS, type BucketRange } from "../../../config/topology.ts";
import { ownersOf } from "./map.ts";
import {
  endMove,
  forgetMarkers,
  hasArrival,
  keepArrival,
  moveLeftOver,
  noteStep,
  noteSubscription,
  unannounceAll,
} from "./moves.repo.ts";
import { type Move, type MoveStep, type OnMove, WAITS, type Waits } from "./moving.ts";
import {
  publishedMoves,
  subscribedMoves,
  subscriptionOf,
  unpublish,
  unsubscribe,
} from "./replication.repo.ts";
import { deleteAstray } from "./rows.repo.ts";
import { type ShardServers, ShardsError } from "./servers.ts";

/** The step of a move whose rows were found to differ after the decision. */
export const DIFFERS = "differs";

const LOOK_EVERY_MS = 100;
const ALL: BucketRange = [0, BUCKETS - 1];

/** What became of a move that its mover had left. */
export interface Settled {
  id: string;
  range: BucketRange;
  source: string;
  target: string;
  outcome: "moved" | "taken back";
}

export interface SettleOptions {
  /** The rows of a move that were found to differ on both sides have been looked at: the source's may be deleted. */
  accept?: boolean;
  waits?: Waits;
}

/**
 * Puts in order what movers left that died, forward where it was decided, else back; and replication of moves that nobody
 * knows of any more, because a shard failed over to a server that had not heard of them. The caller has excluded other
 * movers. Throws ShardsError where rows were found to differ that nobody has accepted.
 */
export async function settleAll(
  servers: ShardServers,
  onMove: OnMove,
  { accept = false, waits = WAITS }: SettleOptions = {},
): Promise<Settled[]> {
  const settled: Settled[] = [];
  for (const source of servers.primaries) {
    const left = await moveLeftOver(source.client);
    if (!left) continue;
    const { id, first, last, step } = left;
    if (step === DIFFERS && !accept) throw new ShardsError(differs(id, source.shard, left.target));
    const move: Move = {
      id,
      range: [first, last],
      source,
      target: servers.primary(left.target),
      servers,
      onMove,
      waits,
    };
    const outcome = await settle(move, accept);
    settled.push({ id, range: move.range, source: source.shard, target: left.target, outcome });
  }
  for (const { shard, client } of servers.primaries) {
    const unknown = await subscribedMoves(client);
    if (unknown.length === 0) continue;
    await servers.supersede(shard);
    for (const id of unknown) {
      await unsubscribe(client, id);
      await forgetMarkers(client, id);
    }
    await deleteAstray(client, ALL);
  }
  for (const { client } of servers.primaries) {
    for (const id of await publishedMoves(client)) {
      await unpublish(client, id, null);
      await forgetMarkers(client, id);
    }
    await unannounceAll(client);
  }
  return settled;
}

/** Finishes a move, or takes it back, as the shard map says: it holds the decision. */
export async function settle(move: Move, accept = false): Promise<"moved" | "taken back"> {
  const left = await moveLeftOver(move.source.client);
  if (!left || left.id !== move.id) return "taken back";
  await move.servers.refresh();
  const [first] = move.range;
  const decided = ownersOf(move.servers.map)[first] === move.target.shard;
  if (!decided && !(await takeBack(move))) return settle(move, accept);
  if (decided) await finish(move, accept);
  return decided ? "moved" : "taken back";
}

/** Finishes a move that was decided. `accept`: even if the target does not have all that the source had. */
export async function finish(move: Move, accept = false): Promise<void> {
  const { range, source, servers, onMove } = move;
  const { marker, decided_epoch } = (await moveLeftOver(source.client)) ?? { marker: 0, decided_epoch: null };
  // Where the decision is known from other shards only, the source has lost its latest commits in a failover.
  if (decided_epoch !== null && !accept) await requireArrival(move, marker);
  await servers.refresh();
  await servers.spread();
  const readersGone = sleep(move.waits.readers);
  await note(move, "unsubscribe");
  await endReplication(move);
  await readersGone;
  await note(move, "clean");
  await deleteAstray(source.client, range, ({ pages, of, rows }) =>
    onMove({ step: "clean", note: `page ${pages} of ${of}`, rows }),
  );
  await end(move, "moved");
}

/** Ends a move that was not decided as if it had never been. False where it turns out that it was. */
async function takeBack(move: Move): Promise<boolean> {
  const { range, target, servers, onMove } = move;
  await note(move, "take-back");
  // Before anything is deleted: a decision that a failover swallowed may have been seen by nodes.
  if (!(await servers.supersede(target.shard))) return false;
  await endReplication(move);
  await deleteAstray(target.client, range, ({ pages, of, rows }) =>
    onMove({ step: "take-back", note: `page ${pages} of ${of}`, rows }),
  );
  await end(move, "taken back");
  return true;
}

async function end({ id, source, target, onMove }: Move, outcome: "moved" | "taken back"): Promise<void> {
  await forgetMarkers(source.client, id);
  await forgetMarkers(target.client, id);
  await unannounceAll(source.client);
  await endMove(source.client, id, outcome);
  onMove({ step: "ended", note: outcome });
}

/** First on the target, or deletions on the source would be replicated. */
async function endReplication(move: Move): Promise<void> {
  const { id, source, target } = move;
  const known = (await moveLeftOver(source.client))?.subscription ?? null;
  const subscription = (await subscriptionOf(target.client, id)) ?? known;
  if (subscription !== null) await noteSubscription(source.client, id, subscription);
  await unsubscribe(target.client, id);
  await note(move, "unpublish");
  await unpublish(source.client, id, subscription);
}

/** Throws ShardsError where the target does not have, for good, all that the source had when it gave the buckets away. */
async function requireArrival({ id, source, target, waits }: Move, marker: number): Promise<void> {
  const deadline = Date.now() + waits.arrival;
  while (!(await hasArrival(target.client, id, marker)) && !(await keepArrival(target.client, id, marker))) {
    if (Date.now() > deadline)
      throw new ShardsError(`not all rows have arrived. ${differs(id, source.shard, target.shard)}`);
    await sleep(LOOK_EVERY_MS);
  }
}

/** What is to be done about a move whose rows were found to differ after the decision. */
export function differs(id: string, source: string, target: string): string {
  return (
    `move ${id}: ${target} has the buckets, but its rows are not those that ${source} had. Nothing was deleted: compare ` +
    `them, copy what is missing, then run \`npm run shards -- abort --accept\`, which deletes those on ${source}`
  );
}

/** Tells of a step, and notes it for whoever comes after a crash. */
export async function note(move: Move, step: MoveStep): Promise<void> {
  move.onMove({ step });
  await noteStep(move.source.client, move.id, step);
}
