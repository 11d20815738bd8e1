import { waitUntil, withRedis } from "./client.ts";
import type { RunningRedis } from "./index.ts";
import { type RedisContext, redisServer, sentinelServer } from "./server.ts";

const MASTER_NAME = "roost";
const QUORUM = 2;

/** A master and its replica, watched by three sentinels: two of them must agree that the master is down. */
export async function startSentinel(
  ports: { name: string; port: number }[],
  context: RedisContext,
): Promise<RunningRedis> {
  const [master, replica, ...sentinels] = ports;
  if (master === undefined || replica === undefined) throw new Error("Sentinel needs a master and a replica");
  const data = [
    redisServer(context, master.name, master.port),
    redisServer(context, replica.name, replica.port, [`replicaof 127.0.0.1 ${master.port}`]),
  ];
  await Promise.all(data.map((server) => server.start()));
  const watchers = sentinels.map(({ name, port }) =>
    sentinelServer(context, { name, port, masterName: MASTER_NAME, masterPort: master.port, quorum: QUORUM }),
  );
  await Promise.all(watchers.map((server) => server.start()));
  const { password } = context;
  await waitUntil(`${replica.name} does not follow ${master.name}`, () =>
    withRedis({ port: master.port, password }, async (client) =>
      /state=online/.test(await client.info("replication")),
    ),
  );
  await Promise.all(
    sentinels.map(({ name, port }) =>
      waitUntil(`${name} does not see the replica and the other sentinels`, () =>
        withRedis({ port, password }, async (client) => {
          const line = (await client.info("sentinel")).match(/status=ok,.*slaves=(\d+),sentinels=(\d+)/);
          return line?.[1] === "1" && line[2] === String(sentinels.length);
        }),
      ),
    ),
  );
  const hosts = sentinels.map(({ port }) => `127.0.0.1:${port}`).join(",");
  return { url: `redis+sentinel://:${password}@${hosts}/${MASTER_NAME}`, servers: [...data, ...watchers] };
}
