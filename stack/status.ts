import { withRedis } from "./redis/client.ts";
import type { Server } from "./server.ts";

/** A server as it answers now. */
export interface ServerStatus {
  name: string;
  /** Of a Postgres server. */
  shard?: string;
  /** What it says of itself; "does not answer" where it says nothing within some seconds. */
  role: string;
  timeline?: number | undefined;
  /** Of a primary: written; of a replica: received and replayed. */
  position?: string | undefined;
  /** How far it is behind whoever of its shard is furthest, in bytes of WAL. */
  lagBytes?: number | undefined;
  port: number;
  /** Absent while it does not run. */
  pid?: number | undefined;
}

/** Asks Redis servers and sentinels for their roles. */
export function redisStatus(servers: readonly Server[], password: string): Promise<ServerStatus[]> {
  return Promise.all(
    servers.map(async (server) => {
      const { name, port } = server;
      const role = await withRedis({ port, password }, async (client) =>
        String((await client.role())[0]),
      ).catch(() => "does not answer");
      return { name, role: role === "slave" ? "replica" : role, port, pid: pidOf(server) };
    }),
  );
}

/** NATS servers have no roles. */
export function natsStatus(servers: readonly Server[]): ServerStatus[] {
  return servers.map((server) => ({
    name: server.name,
    role: server.isRunning ? "running" : "does not run",
    port: server.port,
    pid: pidOf(server),
  }));
}

/** undefined: it does not run (yet). */
export function pidOf(server: Server): number | undefined {
  return server.isRunning ? server.pid : undefined;
}

/** The servers as a table for people. */
export function renderStatus(servers: readonly ServerStatus[]): string {
  const head = ["SERVER", "SHARD", "ROLE", "TIMELINE", "POSITION", "BEHIND", "PORT", "PID"];
  const rows = servers.map((each) => [
    each.name,
    each.shard ?? "",
    each.role,
    each.timeline === undefined ? "" : String(each.timeline),
    each.position ?? "",
    each.lagBytes === undefined ? "" : `${each.lagBytes} bytes`,
    String(each.port),
    each.pid === undefined ? "" : String(each.pid),
  ]);
  const widths = head.map((name, at) => Math.max(name.length, ...rows.map((row) => row[at]?.length ?? 0)));
  const line = (cells: string[]) =>
    cells
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join("  ")
      .trimEnd();
  return [head, ...rows].map(line).join("\n");
}
