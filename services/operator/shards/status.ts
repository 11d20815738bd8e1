import type pg from "pg";
import type { Topology } from "../../../config/topology.ts";
import { describeRanges } from "./map.ts";
import { endedMoves, type MoveRow, moveUnderWay } from "./moves.repo.ts";
import { lagBytes } from "./replication.repo.ts";
import { hostOf, type SeenServer, ShardServers } from "./servers.ts";
import { count, size } from "./show.ts";

/** The latest moves away from each shard that are told of. */
const ENDED = 3;

export interface ServerStatus {
  /** host:port/database, without credentials. */
  server: string;
  role: "primary" | "replica" | "deposed" | "away";
  /** Of the map that it holds. */
  epoch: number | null;
  error?: string;
}

export interface MoveStatus {
  id: string;
  buckets: string;
  from: string;
  to: string;
  step: string;
  outcome: MoveRow["outcome"];
  /** ms for which writers were held up, each time. */
  pauses: number[];
  /** Of the log that the target has not confirmed yet; null: nothing is replicated. */
  lagBytes: number | null;
  began: Date;
  ended: Date | null;
}

export interface ShardStatus {
  shard: string;
  buckets: string;
  servers: ServerStatus[];
  /** As the planner estimates them, copies and left-overs included; null: it has no primary. */
  rows: number | null;
  bytes: number | null;
  moves: MoveStatus[];
}

/** The shard map, its servers, and the moves under way. */
export interface Status {
  epoch: number;
  shards: ShardStatus[];
}

/** Asks all servers; takes no locks and changes nothing. Throws ShardsError where none has a map. */
export async function readStatus(topology: Topology): Promise<Status> {
  const servers = await ShardServers.find(topology);
  try {
    const shards = servers.map.map(async ({ shard, buckets }): Promise<ShardStatus> => {
      const primary = servers.primaries.find((candidate) => candidate.shard === shard);
      const seen = servers.seen.filter((server) => server.shard === shard);
      const answer = seen.find(({ url }) => url === primary?.url)?.answer;
      return {
        shard,
        buckets: describeRanges(buckets),
        servers: seen.map((server) => serverStatus(server, server.url === primary?.url)),
        rows: answer?.rows ?? null,
        bytes: answer?.bytes ?? null,
        moves: primary ? await movesOf(shard, primary.client) : [],
      };
    });
    return { epoch: servers.epoch, shards: await Promise.all(shards) };
  } finally {
    await servers.close();
  }
}

function serverStatus({ url, answer, error }: SeenServer, inCharge: boolean): ServerStatus {
  const role = inCharge ? "primary" : !answer ? "away" : answer.inRecovery ? "replica" : "deposed";
  return { server: hostOf(url), role, epoch: answer?.placement?.epoch ?? null, ...(error ? { error } : {}) };
}

async function movesOf(from: string, source: pg.ClientBase): Promise<MoveStatus[]> {
  const underWay = await moveUnderWay(source);
  const rows = [...(underWay ? [underWay] : []), ...(await endedMoves(source, ENDED))];
  const moves: MoveStatus[] = [];
  for (const row of rows) {
    moves.push({
      id: row.id,
      buckets: describeRanges([[row.first, row.last]]),
      from,
      to: row.target,
      step: row.step,
      outcome: row.outcome,
      pauses: row.pauses,
      lagBytes: row.ended_at ? null : ((await lagBytes(source, row.id)) ?? null),
      began: row.began_at,
      ended: row.ended_at,
    });
  }
  return moves;
}

/** The status for people. */
export function describeStatus({ epoch, shards }: Status): string {
  const lines = [`shard map: epoch ${epoch}`];
  for (const { shard, buckets, servers, rows, bytes, moves } of shards) {
    const amount = rows === null || bytes === null ? "" : `  (about ${count(rows)} rows, ${size(bytes)})`;
    lines.push("", `${shard}: buckets ${buckets}${amount}`);
    for (const { server, role, epoch: held, error } of servers) {
      lines.push(
        `  ${role.padEnd(8)} ${server}${held === null ? "" : `  epoch ${held}`}${error ? `  ${error}` : ""}`,
      );
    }
    for (const move of moves) lines.push(`  ${describeMove(move)}`);
  }
  return lines.join("\n");
}

function describeMove({
  id,
  buckets,
  to,
  step,
  outcome,
  pauses,
  lagBytes: lag,
  began,
  ended,
}: MoveStatus): string {
  const what = `move ${id} of ${buckets} to ${to}`;
  const waited = pauses.length > 0 ? `, writers waited ${pauses.map(Math.round).join(" + ")} ms` : "";
  if (ended) return `${what}: ${outcome}, ${ended.toISOString()}${waited}`;
  const behind = lag === null ? "" : `, ${size(lag)} behind`;
  return `${what}: under way or left behind since ${began.toISOString()}: ${step}${behind}${waited}`;
}
