import { readFileSync } from "node:fs";
import { Redis } from "ioredis";
import pg from "pg";

/** What something has cost, in ms of CPU of each kind of process, and in commands to Redis, those of scripts included. */
export interface Cost {
  serviceMs: number;
  redisMs: number;
  /** 0 where the system does not tell. */
  postgresMs: number;
  redisCommands: number;
}

/** What everything has cost so far. */
export interface Reading {
  serviceMs: number;
  redisMs: number;
  /** By process: those whose client has gone are gone, too. */
  postgresMs: ReadonlyMap<number, number>;
  redisCommands: number;
}

/** The cost of what happened between two readings. Pure. */
export function between(before: Reading, after: Reading): Cost {
  let postgresMs = 0;
  for (const [pid, ms] of after.postgresMs) postgresMs += ms - (before.postgresMs.get(pid) ?? 0);
  return {
    serviceMs: after.serviceMs - before.serviceMs,
    redisMs: after.redisMs - before.redisMs,
    postgresMs,
    redisCommands: after.redisCommands - before.redisCommands,
  };
}

/** ms of CPU in all. */
export function totalMs({ serviceMs, redisMs, postgresMs }: Cost): number {
  return serviceMs + redisMs + postgresMs;
}

const MS_PER_TICK = 10;

/** Reads what the servers have cost so far. */
export class CostMeter {
  readonly #redis: Redis;
  readonly #postgres: pg.Client;

  private constructor(redis: Redis, postgres: pg.Client) {
    this.#redis = redis;
    this.#postgres = postgres;
  }

  /** `postgresUrl`: of any database of the server. */
  static async open(redisUrl: string, postgresUrl: string): Promise<CostMeter> {
    const postgres = new pg.Client({ connectionString: postgresUrl, application_name: "bench" });
    postgres.on("error", () => {});
    await postgres.connect();
    return new CostMeter(new Redis(redisUrl), postgres);
  }

  async close(): Promise<void> {
    this.#redis.disconnect();
    await this.#postgres.end();
  }

  async servers(): Promise<Omit<Reading, "serviceMs">> {
    const [cpu, commands, { rows }] = await Promise.all([
      this.#redis.info("cpu"),
      this.#redis.info("commandstats"),
      this.#postgres.query<{ pid: number }>("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()"),
    ]);
    const seconds = (name: string) => Number(new RegExp(`^${name}:(.*)$`, "m").exec(cpu)?.[1] ?? 0);
    return {
      redisMs: 1_000 * (seconds("used_cpu_user") + seconds("used_cpu_sys")),
      redisCommands: [...commands.matchAll(/calls=(\d+)/g)].reduce(
        (all, [, calls]) => all + Number(calls),
        0,
      ),
      postgresMs: new Map(rows.map(({ pid }) => [pid, cpuMs(pid)])),
    };
  }
}

/** ms of CPU that a process has taken; 0 where it is gone, and where the system does not tell. */
function cpuMs(pid: number): number {
  try {
    // Behind the name, in parentheses: utime and stime are the 12th and 13th.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
  } catch {
    return 0;
  }
}
