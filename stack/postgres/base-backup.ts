import { readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { backUp, withAdmin } from "./admin.repo.ts";
import { type Identity, writeOwned } from "./identity.ts";
import { type Member, markStandby } from "./member.ts";
import { run } from "./run.ts";

/** What the copy gets anew: WAL comes from the primary's slot, slots belong to the server that made them. */
const LEFT_OUT = new Set(["pg_wal", "pg_replslot", "postmaster.pid", "postmaster.opts", "standby.signal"]);

/**
 * Replaces what a standby's directory holds with a base backup of the running primary, which goes on meanwhile
 * (https://www.postgresql.org/docs/18/continuous-archiving.html#BACKUP-LOWLEVEL-BASE-BACKUP). The standby has a slot on
 * the primary already, and is not running.
 */
export async function copyLive(
  primary: Member,
  standby: Member,
  { identity, password }: { identity: Identity; password: string },
): Promise<void> {
  const copy = `${standby.directory}.new`;
  rmSync(copy, { recursive: true, force: true });
  await withAdmin(primary, password, async (client) => {
    const { label, tablespaces } = await backUp(client, standby.id, () =>
      copyFiles(primary.directory, copy, identity),
    );
    writeOwned(identity, join(copy, "backup_label"), label);
    if (tablespaces !== "") writeOwned(identity, join(copy, "tablespace_map"), tablespaces);
  });
  markStandby({ ...standby, directory: copy }, identity);
  rmSync(standby.directory, { recursive: true, force: true });
  renameSync(copy, standby.directory);
}

async function copyFiles(from: string, to: string, identity: Identity): Promise<void> {
  const wal = join(from, "pg_wal");
  const histories = readdirSync(wal).filter((name) => name.endsWith(".history"));
  const entries = readdirSync(from).filter((name) => !LEFT_OUT.has(name));
  await run(identity, "mkdir", ["-m", "700", to, join(to, "pg_wal"), join(to, "pg_replslot")]);
  // Tables are dropped and files replaced meanwhile: WAL has what a vanished file would have held.
  const vanished = /No such file or directory/;
  await run(identity, "cp", ["-R", ...entries.map((name) => join(from, name)), to], vanished);
  if (histories.length > 0)
    await run(identity, "cp", [...histories.map((name) => join(wal, name)), join(to, "pg_wal")]);
}
