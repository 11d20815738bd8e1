import { Client } from "pg";
import { readTopologyFile } from "../../config/topology.ts";
import { sql } from "../../mixins/shard-db/index.ts";
import type { Id } from "../../services/contracts/users.ts";
import type { ServerHandle } from "../../stack/index.ts";
import type { Person, Roost } from "./roost.ts";
import type { OwnStack } from "./servers.ts";

/** A server that stands still, or is dead, must not hold up a test for good. */
const ANSWER_BOUND_MS = 5_000;

/** A handle to the server that is a shard's primary by the topology file of now. */
export function primaryOf(stack: OwnStack, shard: string): ServerHandle {
  const config = readTopologyFile(stack.topologyFile).shards.find(({ name }) => name === shard);
  const port = Number(new URL(config?.primary ?? "").port);
  return serverAt(stack, ({ port: own }) => own === port);
}

/** A handle to a shard's replica, by the topology file of now. */
export function replicaOf(stack: OwnStack, shard: string): ServerHandle {
  const config = readTopologyFile(stack.topologyFile).shards.find(({ name }) => name === shard);
  const port = Number(new URL(config?.replicas[0] ?? "").port);
  return serverAt(stack, ({ port: own }) => own === port);
}

function serverAt(stack: OwnStack, is: (server: ServerHandle) => boolean): ServerHandle {
  const found = stack.servers.find(is);
  if (found === undefined) throw new Error("no such server");
  return found;
}

/** Asks one server, as the superuser. */
export async function ask(
  stack: OwnStack,
  { name }: ServerHandle,
  text: string,
): Promise<Record<string, unknown>[]> {
  const client = new Client({
    connectionString: stack.adminUrl(name),
    connectionTimeoutMillis: ANSWER_BOUND_MS,
    query_timeout: ANSWER_BOUND_MS,
  });
  client.on("error", () => {});
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

/** Has a replica receive nothing more, until it becomes the primary or is copied anew. */
export async function stopReceiving(stack: OwnStack, replica: ServerHandle): Promise<void> {
  await ask(stack, replica, "ALTER SYSTEM SET primary_conninfo = ''");
  await ask(stack, replica, "SELECT pg_reload_conf()");
  while ((await ask(stack, replica, "SELECT FROM pg_stat_wal_receiver")).length > 0);
}

/** Which of these tweets are there, asked of the primaries. */
export async function found(roost: Roost, ids: readonly Id[]): Promise<Set<Id>> {
  const rows = await roost.resources.db.readByIds(
    ids,
    (part) => sql<{ id: Id }>`SELECT id FROM tweets WHERE id = ANY(${part})`,
  );
  return new Set(rows.map(({ id }) => id));
}

/** So many people on each shard. */
export async function peopleOnEach(roost: Roost, count: number): Promise<Map<string, Person[]>> {
  const { db } = roost.resources;
  const people = new Map<string, Person[]>(db.shards.map((shard) => [shard, []]));
  const isFull = () => [...people.values()].every((each) => each.length === count);
  while (!isFull()) {
    for (const person of await roost.people(count * db.shards.length)) {
      const those = people.get(db.shardOf(person));
      if (those !== undefined && those.length < count) those.push(person);
    }
  }
  return people;
}
