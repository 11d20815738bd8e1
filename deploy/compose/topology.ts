/**
 * Prints the topology file of a set of containers; its URLs hold a password, so no such file is committed.
 *
 * SHARDS: `name=primary/replica/…`, one for each shard, separated by commas; hosts as `host` or `host:port`.
 * ROOST_DB_PASSWORD: the password of the role `roost` on all of them.
 *
 * The buckets are divided evenly among the shards, in this order. That only seeds the shard map of new databases: from
 * then on Postgres holds it, and a change of SHARDS moves no bucket.
 */
import { BUCKETS, parseTopology } from "../../config/topology.ts";

function required(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name}: expected a value`);
  return value;
}

try {
  const password = encodeURIComponent(required("ROOST_DB_PASSWORD"));
  const url = (host: string) => `postgres://roost:${password}@${host}/roost`;
  const entries = required("SHARDS").split(",");
  const shards = entries.map((entry, i) => {
    const [name, hosts = ""] = entry.trim().split("=");
    const [primary = "", ...replicas] = hosts.split("/");
    if (hosts.split("/").some((host) => !/^[\w.-]+(:\d+)?$/.test(host))) {
      throw new Error(`SHARDS: expected name=primary/replica, got "${entry}"`);
    }
    const first = Math.floor((i * BUCKETS) / entries.length);
    const last = Math.floor(((i + 1) * BUCKETS) / entries.length) - 1;
    return { name, primary: url(primary), replicas: replicas.map(url), buckets: [[first, last]] };
  });
  console.log(JSON.stringify(parseTopology({ shards }), null, 2));
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
