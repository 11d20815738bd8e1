import type { Topology } from "../../../config/topology.ts";
import type { OperatorCommand } from "../command.ts";
import { Progress } from "../progress.ts";
import { addShard, removeShard, setServers, withShards } from "./change-map.ts";
import { describeRanges } from "./map.ts";
import { moveBuckets } from "./move.ts";
import type { MoveEvent } from "./moving.ts";
import { type PlannedMove, planBalance } from "./plan.ts";
import { type ReadRequest, readRequest, type ShardsRequest, USAGE } from "./request.ts";
import { bucketWeights } from "./rows.repo.ts";
import type { ShardServers } from "./servers.ts";
import { type Settled, settleAll } from "./settle.ts";
import { describeEvent } from "./show.ts";
import { describeStatus, readStatus } from "./status.ts";

export const shardsCommand: OperatorCommand = {
  usage: USAGE,
  failed: 1,
  read(args) {
    const read = readRequest(args);
    return (
      read && {
        topologyFile: read.topologyFile,
        dataDir: read.dataDir,
        run: async ({ topology }) => {
          await run(topology, read);
          return 0;
        },
      }
    );
  },
};

/** How the user is told. */
interface Told {
  line(text: string): void;
  move(event: MoveEvent): void;
}

async function run(topology: Topology, { request, json }: ReadRequest): Promise<void> {
  const progress = new Progress();
  const told: Told = {
    line(text) {
      progress.clear();
      if (json) console.log(JSON.stringify({ done: text }));
      else console.log(text);
    },
    move(event) {
      if (json) return console.log(JSON.stringify(event));
      const { step, detail } = describeEvent(event);
      progress.say(step, detail);
    },
  };
  const stop = new AbortController();
  const interrupted = () => stop.abort(new Error("interrupted: what was not decided was taken back"));
  process.once("SIGINT", interrupted).once("SIGTERM", interrupted);
  try {
    await carryOut(topology, request, { told, json, signal: stop.signal });
  } catch (error) {
    throw Error.isError(error) && error.name === "AbortError" ? stop.signal.reason : error;
  } finally {
    process.off("SIGINT", interrupted).off("SIGTERM", interrupted);
    progress.end();
  }
}

interface Ways {
  told: Told;
  json: boolean;
  signal: AbortSignal;
}

async function carryOut(topology: Topology, request: ShardsRequest, ways: Ways): Promise<void> {
  const { told, json } = ways;
  switch (request.do) {
    case "status": {
      const status = await readStatus(topology);
      console.log(json ? JSON.stringify(status) : describeStatus(status));
      return;
    }
    case "add":
      return addShard(topology, request, told.line);
    case "servers":
      return setServers(topology, request, told.line);
    case "remove":
      return removeShard(topology, request.shard, told.line);
    case "abort":
      return withShards(topology, new Map(), async (servers) => {
        const settled = await settle(servers, told, request.accept);
        if (settled.length === 0) told.line("nothing was left to put in order");
      });
    case "move":
      return withShards(topology, new Map(), async (servers) => {
        await settle(servers, told);
        await moveOne(servers, request, ways);
      });
    case "rebalance":
      return withShards(topology, new Map(), async (servers) => {
        if (!request.planOnly) await settle(servers, told);
        const moves = await plan(servers, request);
        for (const { range, from, to } of moves) told.line(`${describeRanges([range])}: ${from} → ${to}`);
        if (moves.length === 0) told.line("nothing is to be moved");
        if (request.planOnly) return;
        for (const { range, to } of moves) await moveOne(servers, { range, to }, ways);
      });
  }
}

async function plan(
  servers: ShardServers,
  { onto, by }: Extract<ShardsRequest, { do: "rebalance" }>,
): Promise<PlannedMove[]> {
  const weights =
    by === "rows" ? await bucketWeights(servers.primaries.map(({ client }) => client)) : undefined;
  return planBalance(servers.map, { ...(onto && { onto }), ...(weights && { weights }) });
}

async function moveOne(
  servers: ShardServers,
  { range, to }: Pick<PlannedMove, "range" | "to">,
  { told, signal }: Ways,
): Promise<void> {
  const pauses = await moveBuckets(servers, { range, to, onMove: told.move, signal });
  const waited = pauses.length > 0 ? `; writers waited ${pauses.map(Math.round).join(" + ")} ms` : " already";
  told.line(`buckets ${describeRanges([range])} are on ${to}${waited}`);
}

async function settle(servers: ShardServers, told: Told, accept = false): Promise<Settled[]> {
  const settled = await settleAll(servers, told.move, { accept });
  for (const { range, source, target, outcome } of settled) {
    told.line(
      `a move of ${describeRanges([range])} from ${source} to ${target} had been left behind: ${outcome}`,
    );
  }
  return settled;
}
