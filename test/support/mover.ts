/**
 * A mover as a process of its own, with no time left to the nodes: `node test/support/mover.ts TOPOLOGY_FILE FIRST LAST TO
 * [STEP [SIGNAL]]`. When a step begins it sends itself a signal (SIGKILL), once. Prints the pauses of writers.
 */
import { readTopologyFile } from "../../config/topology.ts";
import { moveBuckets } from "../../services/operator/shards/move.ts";
import { WAITS } from "../../services/operator/shards/moving.ts";
import { ShardServers } from "../../services/operator/shards/servers.ts";
import { settleAll } from "../../services/operator/shards/settle.ts";

const [file = "", first, last, to = "", fatal, signal = "SIGKILL"] = process.argv.slice(2);
let sent = false;
const onMove = ({ step }: { step: string }) => {
  if (step !== fatal || sent) return;
  sent = true;
  process.kill(process.pid, signal);
};
const servers = await ShardServers.find(readTopologyFile(file));
try {
  await servers.exclude();
  const waits = { ...WAITS, announced: 0, readers: 0 };
  await settleAll(servers, onMove, { waits });
  const pauses = await moveBuckets(servers, { range: [Number(first), Number(last)], to, onMove, waits });
  console.log(JSON.stringify(pauses));
} finally {
  await servers.close();
}
