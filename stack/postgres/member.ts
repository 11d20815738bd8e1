import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { PHASE } from "../processes.ts";
import { Server } from "../server.ts";
import type { Supervisor } from "../supervisor.ts";
import { SUPERUSER } from "./admin.repo.ts";
import { type Identity, writeOwned } from "./identity.ts";
import { run } from "./run.ts";

/** The data directory of one Postgres server: a primary or a standby of a shard. */
export interface Member {
  /** Stays with the directory, whatever its role: "s0-1". */
  id: string;
  directory: string;
  port: number;
}

const STANDBY_MARK = "standby.signal";
const STOP_GRACE_MS = 30_000;

/** Whether the directory holds a database at all. */
export function exists(member: Member): boolean {
  return existsSync(join(member.directory, "PG_VERSION"));
}

/** Whether the directory will start as a standby. Postgres removes the mark of one that it promotes. */
export function isStandby(member: Member): boolean {
  return existsSync(join(member.directory, STANDBY_MARK));
}

/** The newest timeline that the directory has written: it grows with each promotion. */
export function timelineOf(member: Member): number {
  const names = readdirSync(join(member.directory, "pg_wal")).filter((name) => /^[0-9A-F]{8}/.test(name));
  return Math.max(0, ...names.map((name) => Number.parseInt(name.slice(0, 8), 16)));
}

/** Makes an empty database cluster; a run that is interrupted leaves nothing that looks like one. */
export async function initialise(member: Member, identity: Identity, password: string): Promise<void> {
  const unfinished = `${member.directory}.new`;
  const passwordFile = `${member.directory}.password`;
  rmSync(unfinished, { recursive: true, force: true });
  writeOwned(identity, passwordFile, password);
  try {
    await run(identity, join(identity.binaries, "bin", "initdb"), [
      `--pgdata=${unfinished}`,
      `--username=${SUPERUSER}`,
      `--pwfile=${passwordFile}`,
      "--auth=scram-sha-256",
      "--encoding=UTF8",
      // Postgres' own locale: the same order on every machine, whatever locales it has.
      "--locale-provider=builtin",
      "--builtin-locale=C.UTF-8",
      "--locale=C",
    ]);
    renameSync(unfinished, member.directory);
  } finally {
    rmSync(passwordFile, { force: true });
  }
}

/** Sees to it that the directory starts as a standby, and never as a primary, until this is taken back. */
export function markStandby(member: Member, identity: Identity): void {
  writeOwned(identity, join(member.directory, STANDBY_MARK), "");
}

/** Lets the directory start as a primary. */
export function unmarkStandby(member: Member): void {
  rmSync(join(member.directory, STANDBY_MARK), { force: true });
}

/** Writes the settings that change between runs; everything else stays as initdb made it. */
export function configure(member: Member, identity: Identity, settings: Record<string, string>): void {
  const main = join(member.directory, "postgresql.conf");
  const include = "include = 'roost.conf'\n";
  const text = readFileSync(main, "utf8");
  if (!text.endsWith(include)) writeOwned(identity, main, text + include);
  const lines = Object.entries(settings).map(
    ([name, value]) => `${name} = '${value.replaceAll("'", "''")}'\n`,
  );
  writeOwned(identity, join(member.directory, "roost.conf"), lines.join(""));
}

/** What the server of a directory is called, and its port in the state: after the directory, as roles change. */
export function serverName(id: string): string {
  return `pg-${id}`;
}

/** The server of a data directory, not yet started. */
export function serverOf(
  member: Member,
  options: { identity: Identity; supervisor: Supervisor; logDir: string },
): Server {
  const { identity } = options;
  const name = serverName(member.id);
  return new Server(options.supervisor, {
    name,
    ...identity.command(join(identity.binaries, "bin", "postgres"), ["-D", member.directory]),
    port: member.port,
    logFile: join(options.logDir, `${name}.log`),
    // SIGINT is Postgres' fast shutdown: clients are cut off, everything is written.
    signal: "SIGINT",
    phase: PHASE.backends,
    graceMs: STOP_GRACE_MS,
    directory: member.directory,
    isReady: async (pid) => saysReady(member, pid),
    retryWhen: /pre-existing shared memory block|lock file "postmaster\.pid" already exists/,
  });
}

/** Removes the pid file that a killed server left; its pid may since belong to another process. */
export function removeStalePidFile(member: Member): void {
  rmSync(join(member.directory, "postmaster.pid"), { force: true });
}

/** The postmaster writes its state into line 8 of its pid file, for pg_ctl; the pid is on line 1. */
function saysReady(member: Member, pid: number): boolean {
  try {
    const lines = readFileSync(join(member.directory, "postmaster.pid"), "utf8").split("\n");
    return Number(lines[0]) === pid && lines[7]?.trim() === "ready";
  } catch {
    return false;
  }
}
