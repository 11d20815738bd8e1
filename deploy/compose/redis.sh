#!/bin/sh
# Starts Redis as a cache: nothing is kept on disk, a restart begins empty. The configuration comes through standard
# input, so that the password shows in no list of processes.
set -eu
exec redis-server - <<CONF
bind 0.0.0.0
requirepass $REDIS_PASSWORD
save ""
appendonly no
maxmemory ${REDIS_MAXMEMORY:-512mb}
maxmemory-policy allkeys-lru
CONF
