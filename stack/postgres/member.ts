import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
} from "node:fs";
import { join } from "node:path";
import { PHASE } from "../processes.ts";
import { Server } from "../server.ts";
import type { Supervisor } from "../supervisor.ts";
import { type Identity, writeOwned } from "./identity.ts";
import { run } from "./run.ts";

/** The data directory of one Postgres server: a primary or a standby of a shard. */
export interface Member {
  /** Stays with the directory, whatever its role: "s0-1". */
  id: string;
  directory: string;
  port: number;
}

const SUPERUSER = "postgres";
// DBState in Postgres' pg_control.h.
const SHUT_DOWN = 1;
const STATE_OFFSET = 16;
const STOP_GRACE_MS = 30_000;

/** Whether the directory holds a database at all. */
export function exists(member: Member): boolean {
  return existsSync(join(member.directory, "PG_VERSION"));
}

/** Whether the directory will start as a standby. A promoted standby has lost its mark. */
export function isStandby(member: Member): boolean {
  return existsSync(join(member.directory, "standby.signal"));
}

/** Whether the server was stopped in order, so that its files can be copied as they are. */
export function isCleanlyStopped(member: Member): boolean {
  const file = openSync(join(member.directory, "global", "pg_control"), "r");
  try {
    const bytes = Buffer.alloc(4);
    readSync(file, bytes, 0, 4, STATE_OFFSET);
    return bytes.readInt32LE() === SHUT_DOWN && !existsSync(join(member.directory, "postmaster.pid"));
  } finally {
    closeSync(file);
  }
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

/** Replaces what the standby's directory holds with a copy of its cleanly stopped primary. */
export async function copyFrom(primary: Member, standby: Member, identity: Identity): Promise<void> {
  const unfinished = `${standby.directory}.new`;
  rmSync(unfinished, { recursive: true, force: true });
  await run(identity, "cp", ["-R", primary.directory, unfinished]);
  rmSync(join(unfinished, "postmaster.opts"), { force: true });
  // Slots belong to the server that made them.
  await run(identity, "find", [join(unfinished, "pg_replslot"), "-mindepth", "1", "-delete"]);
  writeOwned(identity, join(unfinished, "standby.signal"), "");
  rmSync(standby.directory, { recursive: true, force: true });
  renameSync(unfinished, standby.directory);
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

/** The server of a data directory, not yet started. */
export function serverOf(
  member: Member,
  options: { name: string; identity: Identity; supervisor: Supervisor; logDir: string; standby: boolean },
): Server {
  const { identity } = options;
  return new Server(options.supervisor, {
    name: options.name,
    ...identity.command(join(identity.binaries, "bin", "postgres"), ["-D", member.directory]),
    port: member.port,
    logFile: join(options.logDir, `${options.name}.log`),
    // SIGINT is Postgres' fast shutdown: clients are cut off, everything is written.
    signal: "SIGINT",
    phase: options.standby ? PHASE.postgresStandby : PHASE.backends,
    graceMs: STOP_GRACE_MS,
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
