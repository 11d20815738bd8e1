import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Topology } from "../../config/topology.ts";
import { TcpProxy } from "./tcp-proxy.ts";

export interface FarShards {
  topologyFile: string;
  close(): Promise<void>;
}

/** The same shards over lines on which a message takes up to `jitterMs`, so that what races with it may overtake it. */
export async function farShards({ shards }: Topology, jitterMs: number): Promise<FarShards> {
  const proxies = await Promise.all(shards.map(({ primary }) => TcpProxy.to(primary, jitterMs)));
  const folder = mkdtempSync(join(tmpdir(), "roost-far-"));
  const topologyFile = join(folder, "topology.json");
  const far = shards.map((shard, i) => ({ ...shard, primary: proxies[i]?.url }));
  writeFileSync(topologyFile, JSON.stringify({ shards: far }));
  return {
    topologyFile,
    close: async () => {
      await Promise.all(proxies.map((proxy) => proxy.close()));
      rmSync(folder, { recursive: true });
    },
  };
}
