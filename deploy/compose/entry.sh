#!/bin/sh
# Starts a command in a Roost container: writes the topology file first, from the environment, readable by us alone.
set -eu
umask 077
node deploy/compose/topology.ts >"$TOPOLOGY_FILE"
exec "$@"
