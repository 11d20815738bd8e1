import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isAlive, startOf } from "./processes.ts";

interface Owner {
  pid: number;
  started: string;
  command: string;
  /** The process that stops the owner's servers should the owner be killed. */
  reaper: { pid: number; started: string };
}

const REAPER_BOUND_MS = 60_000;

/**
 * Takes the data directory for this process and returns the lock file. A lock whose owner is gone is taken over, after
 * the owner's reaper has stopped what the owner left running.
 * @throws "data directory X is in use by process PID (COMMAND)" when another process holds it
 */
export async function lockDirectory(directory: string, reaperPid: number): Promise<string> {
  const file = join(directory, "lock");
  const mine = `${file}.${process.pid}`;
  writeFileSync(mine, JSON.stringify(describeSelf(reaperPid)), { mode: 0o600 });
  try {
    while (!tryLink(mine, file)) {
      const text = readLock(file);
      const owner = parseOwner(text);
      if (owner !== undefined && isAlive(owner)) throw inUse(directory, owner);
      if (owner !== undefined) await waitForReaper(directory, owner);
      removeStale(file, text);
    }
    return file;
  } finally {
    rmSync(mine, { force: true });
  }
}

/** The process that holds a data directory; undefined where none does. */
export function runningOwner(directory: string): { pid: number; command: string } | undefined {
  const owner = parseOwner(readLock(join(directory, "lock")));
  return owner !== undefined && isAlive(owner) ? owner : undefined;
}

function describeSelf(reaperPid: number): Owner {
  const event = process.env.npm_lifecycle_event;
  const command = event === undefined ? "node" : event === "start" ? "npm start" : `npm run ${event}`;
  return {
    pid: process.pid,
    started: startOf(process.pid) ?? "",
    command,
    reaper: { pid: reaperPid, started: startOf(reaperPid) ?? "" },
  };
}

async function waitForReaper(directory: string, owner: Owner): Promise<void> {
  const deadline = Date.now() + REAPER_BOUND_MS;
  while (isAlive(owner.reaper)) {
    if (Date.now() > deadline) throw inUse(directory, { ...owner.reaper, command: "stopping servers" });
    await sleep(50);
  }
}

/** Two processes may find the same stale lock: the one that moves away a fresh lock by mistake puts it back. */
function removeStale(file: string, text: string | undefined): void {
  if (text === undefined) return;
  const aside = `${file}.stale.${process.pid}`;
  try {
    renameSync(file, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  if (readLock(aside) !== text) tryLink(aside, file);
  rmSync(aside, { force: true });
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function readLock(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

function parseOwner(text: string | undefined): Owner | undefined {
  if (text === undefined) return undefined;
  try {
    // The cast: the file is written by this module alone, whole, through link(2).
    return JSON.parse(text) as Owner;
  } catch {
    return undefined;
  }
}

function inUse(directory: string, owner: { pid: number; command: string }): Error {
  return new Error(`data directory ${directory} is in use by process ${owner.pid} (${owner.command})`);
}
