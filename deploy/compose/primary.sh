#!/bin/bash
# Runs once, when the Postgres image makes a primary's database: Roost's role and database, and what the replica needs.
set -e

psql --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname=postgres <<'SQL'
\getenv roost ROOST_DB_PASSWORD
\getenv replication REPLICATION_PASSWORD
CREATE ROLE roost LOGIN CREATEDB REPLICATION PASSWORD :'roost';
GRANT pg_monitor, pg_create_subscription, pg_signal_backend TO roost;
CREATE DATABASE roost OWNER roost;
CREATE ROLE replicator LOGIN REPLICATION PASSWORD :'replication';
SELECT pg_create_physical_replication_slot('replica');
SQL

# The image's own line for all hosts leaves replication out.
echo "host replication replicator all scram-sha-256" >>"$PGDATA/pg_hba.conf"
