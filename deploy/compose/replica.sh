#!/bin/bash
# Starts a streaming replica of PRIMARY_HOST with the Postgres settings given as arguments. The first time it copies the
# primary; a copy that is cut short leaves nothing that looks like one. To copy anew, remove the replica's volume.
set -euo pipefail

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  rm -rf "$PGDATA" "$PGDATA.new"
  mkdir -p "$(dirname "$PGDATA")"
  # --write-recovery-conf keeps the connection, password included, and the slot for the server to stream with.
  PGPASSWORD="$REPLICATION_PASSWORD" pg_basebackup \
    --host="$PRIMARY_HOST" --port="${PRIMARY_PORT:-5432}" --username=replicator --no-password \
    --pgdata="$PGDATA.new" --wal-method=stream --slot=replica --checkpoint=fast --write-recovery-conf
  mv "$PGDATA.new" "$PGDATA"
fi
exec postgres "$@"
