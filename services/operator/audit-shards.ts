import { setTimeout as sleep } from "node:timers/promises";
import type { ShardDb } from "../../mixins/shard-db/index.ts";
import type { Snapshot } from "../../mixins/shard-db/snapshots.ts";
import type { EdgeKey } from "../graph/edges.repo.ts";
import {
  edgesNow,
  followsAcrossBlocks,
  forwardEdges,
  forwardSums,
  mirrorEdges,
  mirrorSums,
  misplacedRows,
  movingBuckets,
  stuckJobs,
  takeMemory,
  wrongCounters,
} from "./audit.repo.ts";
import { countedKinds } from "./audit-counters.ts";
import {
  astray,
  differences,
  differingBuckets,
  type EdgeDifference,
  type EdgeSum,
  mergeSorted,
} from "./audit-edges.ts";
import { ASTRAY, type Finding, type MirrorFinding, type PlacementFinding } from "./audit-findings.ts";
import type { Say } from "./progress.ts";

/** Differences that are looked at again together, and how long a change in flight is given meanwhile (ms). */
const LOOKED_AT = 5_000;
const PAUSE_MS = 500;

/** Compares what the shards hold, with each other and with itself. Throws 503 where one cannot be asked. */
export async function* auditShards(db: ShardDb, say: Say): AsyncGenerator<Finding> {
  const { shards, close } = await db.snapshots();
  try {
    await Promise.all(shards.map(takeMemory));
    const moving = (await Promise.all(shards.map(movingBuckets))).flat();
    say("edges against mirrors");
    yield* wrongEdges(db, shards, moving, say);
    for (const [what, check] of CHECKS) {
      say(what);
      yield* (await Promise.all(shards.map((shot) => check(shot, moving)))).flat();
    }
  } finally {
    await close();
  }
}

/** Looks at one shard; rows of buckets that are moving may be on two. */
type Check = (shot: Snapshot, moving: readonly number[]) => Promise<Finding[]>;

/** Whatever is committed in one transaction on one shard: its snapshot shows all of it or nothing. */
const CHECKS: [what: string, check: Check][] = [
  [
    "follows against blocks",
    async (shot) => (await followsAcrossBlocks(shot)).map((row) => ({ check: "block", ...row })),
  ],
  [
    "counters",
    async (shot) => {
      const rows = await wrongCounters(shot, countedKinds);
      return rows.map((row) => ({ check: "counter", shard: shot.shard, ...row }));
    },
  ],
  ["placement", misplacedRows],
  ["outbox", stuckJobs],
];

/** Sums of all edges by bucket first; then, of buckets that differ, row by row; then those that differ, once more. */
async function* wrongEdges(
  db: ShardDb,
  shards: Snapshot[],
  moving: readonly number[],
  say: Say,
): AsyncGenerator<MirrorFinding | PlacementFinding> {
  const sums = await Promise.all(
    shards.map(async (shot) => ({
      shard: shot.shard,
      forward: await forwardSums(shot, moving),
      mirrors: await mirrorSums(shot, moving),
    })),
  );
  for (const { shard, forward, mirrors } of sums) {
    yield* misplaced(shard, "edges", forward, ASTRAY);
    yield* misplaced(shard, "inverse_edges", mirrors, `${ASTRAY}, or under another one than their source's`);
  }
  const buckets = differingBuckets(
    sums.flatMap(({ forward }) => forward),
    sums.flatMap(({ mirrors }) => mirrors),
  );
  if (buckets.length === 0) return;
  say("edges against mirrors", `${buckets.length} buckets differ`);
  // Both sides walk along a shard on the one connection of its snapshot, in turns.
  const found = differences(
    mergeSorted(shards.map((shot) => forwardEdges(shot, buckets))),
    mergeSorted(shards.map((shot) => mirrorEdges(shot, buckets))),
  );
  for await (const chunk of chunks(found, LOOKED_AT)) yield* await stillDiffering(db, chunk);
}

function misplaced(shard: string, table: string, sums: EdgeSum[], fault: string): PlacementFinding[] {
  const rows = astray(sums);
  return rows > 0n ? [{ check: "placement", shard, table, rows: String(rows), fault }] : [];
}

/** The differences that were there twice, unchanged, while no job was queued that would mend them. */
async function stillDiffering(db: ShardDb, seen: EdgeDifference[]): Promise<MirrorFinding[]> {
  let left: MirrorFinding[] = seen.map((edge) => ({ check: "mirror", ...edge }));
  for (const pause of [0, PAUSE_MS]) {
    if (left.length === 0) return [];
    await sleep(pause);
    const now = new Map((await edgesNow(db, left)).map((edge) => [nameOf(edge), edge]));
    left = left.filter((before) => {
      const edge = now.get(nameOf(before));
      return edge && !edge.pending && edge.forward === before.forward && edge.mirror === before.mirror;
    });
  }
  return left;
}

const nameOf = ({ src, kind, dst }: EdgeKey): string => `${src} ${kind} ${dst}`;

async function* chunks<T>(items: AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  let chunk: T[] = [];
  for await (const item of items) {
    chunk.push(item);
    if (chunk.length < size) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}
