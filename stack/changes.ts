import { readTopologyFile } from "../config/topology.ts";
import { migrate } from "../mixins/shard-db/migrate.ts";
import type { PostgresShards } from "./postgres/index.ts";
import { mapNames, nameServers } from "./shard-map.ts";
import type { Reported, Stack } from "./types.ts";

/** What can be changed while a stack runs. */
export type Changes = Pick<
  Stack,
  "failover" | "addReplica" | "removeReplica" | "addShard" | "removeShard" | "publishServers"
>;

const PUBLISH_AGAIN_MS = 5_000;

/**
 * The changes of a stack's own Postgres servers, one at a time. After each the state, the topology file and, where servers
 * have come or gone, the shard map are brought up to date; `changed` is called then.
 */
export function changesOf(
  postgres: PostgresShards | undefined,
  { say, changed }: { say: (line: string) => void; changed: () => void },
): Changes {
  const own = (): PostgresShards => {
    if (postgres === undefined) throw new Error("the Postgres servers are not this stack's own");
    return postgres;
  };
  const inTurn = turns();
  const change = <T>(
    options: Reported,
    work: (shards: PostgresShards, tell: Tell) => Promise<T>,
  ): Promise<T> =>
    inTurn(async () => {
      try {
        return await work(own(), options.onProgress ?? say);
      } finally {
        own().save();
        changed();
      }
    });
  return {
    failover: (name, options = {}) =>
      change(options, async (shards, tell) => {
        await shards.failover(name, options, tell);
        if (options.old === "fenced") await publish(shards, name, tell);
      }),
    addReplica: (name, options = {}) =>
      change(options, async (shards, tell) => {
        const added = await shards.addReplica(name, tell);
        shards.save();
        await publish(shards, name, tell);
        return added;
      }),
    removeReplica: (server, options = {}) =>
      change(options, async (shards, tell) => {
        const name = shards.ownerOf(server).name;
        await shards.removeReplica(server, () => publish(shards, name, tell));
      }),
    addShard: (name, { replicas = 0, ...options } = {}) =>
      change(options, async (shards, tell) => {
        tell(`starting shard ${name}`);
        await shards.addShard(name, replicas);
        shards.save();
        await migrate(readTopologyFile(shards.topologyFile), (line) => tell(`migrated ${line}`));
        return shards.urls(shards.shard(name));
      }),
    removeShard: (name, options = {}) =>
      change(options, async (shards) => {
        shards.shard(name);
        if (await mapNames(readTopologyFile(shards.topologyFile), name))
          throw new Error(`the shard map names ${name}: \`npm run shards\` moves its buckets and removes it`);
        await shards.removeShard(name);
      }),
    publishServers: () =>
      inTurn(async () => {
        if (postgres === undefined) return;
        await nameServers(readTopologyFile(postgres.topologyFile), postgres.allUrls());
      }),
  };
}

type Tell = (line: string) => void;

/** Has running nodes learn of a shard's servers. Where that cannot be now, it is tried until it can. */
async function publish(shards: PostgresShards, name: string, tell: Tell): Promise<void> {
  try {
    const [published] = await nameServers(readTopologyFile(shards.topologyFile), shards.allUrls(), name);
    if (published !== undefined) tell(`the shard map names the servers of ${name}`);
  } catch (error) {
    tell(
      `${Error.isError(error) ? error.message : String(error)}; trying again in ${PUBLISH_AGAIN_MS / 1000} s`,
    );
    setTimeout(() => void publish(shards, name, tell), PUBLISH_AGAIN_MS).unref();
  }
}

/** Runs what it is given, one after the other. */
function turns(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const done = last.then(work);
    last = done.catch(() => {});
    return done;
  };
}
