-- Attempts at jobs that have begun and not ended. Counted beside the job, because its worker holds its row locked; what is
-- left here of a job that nobody works on tells that it may have killed its worker. A crash of Postgres may forget it.
CREATE UNLOGGED TABLE outbox_begun (
  id    bigint PRIMARY KEY,         -- the job's
  times int NOT NULL
);

-- Attempts at a job that began and never ended.
CREATE FUNCTION lost_attempts(job bigint) RETURNS int LANGUAGE sql STABLE AS $$
  SELECT coalesce((SELECT times FROM outbox_begun WHERE id = job), 0)
$$;

-- New jobs and those that are to be continued (which have a cursor) are looked for separately.
CREATE INDEX outbox_lanes ON outbox (kind, num_nonnulls(cursor), run_after);
DROP INDEX outbox_due;
