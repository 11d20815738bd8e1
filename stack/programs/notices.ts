import type { ProgramName } from "./index.ts";

const WITHOUT: Record<ProgramName, string> = {
  "redis-server": "Redis: timelines are read from Postgres, which is slower",
  "nats-server": "NATS: all services run in this one process",
  pgbouncer: "PgBouncer: Roost behind one is not tested",
};

/** One line: what runs without the program, and how to install it on this system. */
export function missingNotice(name: ProgramName): string {
  const install =
    process.platform === "darwin"
      ? `brew install ${name.replace("redis-server", "redis")}`
      : `sudo apt-get install ${name}`;
  return `without ${WITHOUT[name]}. To get it: ${install}`;
}
