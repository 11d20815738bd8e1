/**
 * Postgres refuses to run as root. For root there are two ways: a user namespace in which root's files appear to belong
 * to another user, so that nothing has to move; and, where the kernel forbids that, another uid, with data and programs
 * in a place which that uid can enter (it cannot enter a clone below a mode-0700 directory such as root's home).
 */
import { spawnSync } from "node:child_process";
import {
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { PostgresBinaries } from "./binaries.ts";

interface User {
  uid: number;
  gid: number;
}

/** Who Postgres runs as, and where its data and programs lie. */
export interface Identity {
  /** Holds the data directories of all servers. */
  home: string;
  /** The folder with bin/, lib/ and share/. */
  binaries: string;
  /** Whom the files must belong to, where that is not the launcher's own user. */
  owner: User | undefined;
  /** The command line that runs a program as this identity. */
  command(program: string, args: string[]): { command: string; args: string[]; cwd: string } & Partial<User>;
}

const OUTSIDE_PLACES = ["/var/lib/roost", "/var/tmp/roost"];

/**
 * Chooses who runs Postgres. `ROOST_NO_UNSHARE=1` rules out the user namespace.
 * @throws a one-line error where Postgres cannot run at all
 */
export function chooseIdentity(dataDir: string, id: string, binaries: PostgresBinaries): Identity {
  const inside = join(dataDir, "postgres");
  if (process.getuid?.() !== 0) {
    return {
      home: ensureDirectory(inside),
      binaries: binaries.directory,
      owner: undefined,
      command: (program, args) => ({ command: program, args, cwd: "/" }),
    };
  }
  const user = unprivilegedUser();
  const inNamespace = (program: string, args: string[]) => ({
    command: "unshare",
    args: ["--user", `--map-user=${user.uid}`, "--", program, ...args],
    cwd: "/",
  });
  const outside = OUTSIDE_PLACES.map((place) => join(place, id)).find((place) => existsSync(place));
  const mayUnshare = outside === undefined && process.env.ROOST_NO_UNSHARE !== "1";
  if (mayUnshare && isUnprivileged(inNamespace("id", ["-u"]))) {
    return {
      home: ensureDirectory(inside),
      binaries: binaries.directory,
      owner: undefined,
      command: inNamespace,
    };
  }
  const reachable = canEnter(user, join(binaries.directory, "bin"));
  return {
    home: outside ?? makeOutsideHome(user, id),
    binaries: reachable ? binaries.directory : copyOutside(binaries, user),
    owner: user,
    command: (program, args) => ({ command: program, args, cwd: "/", ...user }),
  };
}

/** Writes a file that only the identity can read. */
export function writeOwned(identity: Identity, file: string, text: string): void {
  writeFileSync(file, text, { mode: 0o600 });
  if (identity.owner !== undefined) chownSync(file, identity.owner.uid, identity.owner.gid);
}

/** Removes the data that had to be kept outside of a data directory. */
export function removeOutsideData(id: string): void {
  for (const place of OUTSIDE_PLACES) rmSync(join(place, id), { recursive: true, force: true });
}

/** initdb wants a user with a name: `nobody` where there is one, else any that is not root. */
function unprivilegedUser(): User {
  const users = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"))
    .filter((fields) => Number(fields[2]) > 0);
  const [, , uid, gid] = users.find(([name]) => name === "nobody") ?? users[0] ?? [];
  if (uid === undefined || gid === undefined) {
    throw new Error(
      "Postgres does not run as root, and /etc/passwd names no other user: run as another user",
    );
  }
  return { uid: Number(uid), gid: Number(gid) };
}

function isUnprivileged({ command, args, cwd }: { command: string; args: string[]; cwd: string }): boolean {
  const probe = spawnSync(command, args, { cwd, encoding: "utf8" });
  return probe.status === 0 && Number(probe.stdout) > 0;
}

function canEnter(user: User, directory: string): boolean {
  return spawnSync("test", ["-x", directory], { cwd: "/", ...user }).status === 0;
}

function ensureDirectory(directory: string): string {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  return directory;
}

function makeOutsideHome(user: User, id: string): string {
  const home = ensureDirectory(join(outsidePlace(user), id));
  chownSync(home, user.uid, user.gid);
  return home;
}

function outsidePlace(user: User): string {
  for (const place of OUTSIDE_PLACES) {
    try {
      mkdirSync(place, { recursive: true, mode: 0o755 });
    } catch {
      continue;
    }
    if (canEnter(user, place)) return place;
  }
  throw new Error(
    `Postgres does not run as root, and no place for it was found (${OUTSIDE_PLACES.join(", ")}): run as another user`,
  );
}

function copyOutside(binaries: PostgresBinaries, user: User): string {
  const copy = join(outsidePlace(user), `postgres-${binaries.version}`);
  if (existsSync(copy)) return copy;
  const unfinished = `${copy}.${process.pid}`;
  cpSync(binaries.directory, unfinished, { recursive: true, verbatimSymlinks: true });
  try {
    renameSync(unfinished, copy);
  } catch (error) {
    // Another process was faster.
    if (!existsSync(copy)) throw error;
    rmSync(unfinished, { recursive: true, force: true });
  }
  return copy;
}
