import { UsageError } from "../config/command-line.ts";
import { BUCKETS } from "../config/topology.ts";
import type { RedisForm, ShardState, State } from "./state.ts";
import type { StackOptions, TopologyName } from "./types.ts";

const SHARDS: Record<TopologyName, number> = { single: 1, replicas: 1, sharded: 3 };
const REPLICAS: Record<TopologyName, number> = { single: 0, replicas: 3, sharded: 1 };
const REDIS: Record<TopologyName, RedisForm> = { single: "single", replicas: "sentinel", sharded: "cluster" };

type Form = Pick<State, "shards" | "redis" | "sync">;

/**
 * What a stack is to consist of: what its data directory remembers, changed by what is asked for; for a new one what
 * is asked for alone. A named topology never takes replicas away; a number of replicas does.
 * @throws where the data is spread over another number of shards, or too few replicas would vouch for commits
 */
export function planOf(
  asked: Pick<StackOptions, "topology" | "replicas" | "sync" | "dataDir">,
  before: Form | undefined,
): Form {
  const { topology, replicas, sync } = asked;
  const planned = before === undefined ? fresh(topology ?? "single") : { ...before };
  if (topology !== undefined) {
    if (planned.shards.length !== SHARDS[topology])
      throw new Error(
        `data directory ${asked.dataDir} holds ${planned.shards.length} shard(s), not ${SHARDS[topology]}: name another one, or no topology`,
      );
    planned.redis = REDIS[topology];
  }
  planned.sync = sync ?? planned.sync;
  planned.shards = planned.shards.map((shard) => {
    const least = topology === undefined ? 0 : REPLICAS[topology];
    return resized(shard, replicas ?? Math.max(shard.members.length - 1, least));
  });
  const small = planned.shards.find(({ members }) => members.length < 3);
  if (sync === true && small !== undefined)
    throw new UsageError(
      `--sync: needs two replicas or more, ${small.name} would have ${small.members.length - 1}`,
    );
  return planned;
}

/** A shard without servers of its own yet. */
export function newShard(name: string, buckets: ShardState["buckets"], replicas: number): ShardState {
  return resized({ name, buckets, members: [`${name}-0`], primary: `${name}-0` }, replicas);
}

function fresh(topology: TopologyName): Form {
  const count = SHARDS[topology];
  const bound = (index: number) => Math.floor((index * BUCKETS) / count);
  const shards = Array.from({ length: count }, (_, n) =>
    newShard(`s${n}`, [[bound(n), bound(n + 1) - 1]], 0),
  );
  return { shards, redis: REDIS[topology], sync: false };
}

/** The primary and the oldest of the others stay; new members get the lowest free numbers. */
function resized(shard: ShardState, replicas: number): ShardState {
  const others = shard.members.filter((id) => id !== shard.primary);
  const kept = new Set([shard.primary, ...others.slice(0, replicas)]);
  for (let n = 0; kept.size < replicas + 1; n++) kept.add(`${shard.name}-${n}`);
  const members = [...new Set([...shard.members, ...kept])].filter((id) => kept.has(id));
  return { ...shard, members };
}
