-- Attempts at jobs that have begun and not ended. Counted beside the job, because its worker holds its row locked; what is
-- left here of a job that nobody works on tells that it may have killed its worker. A crash of Postgres may forget it.
CREATE UNLOGGED TABLE outbox_begun (
  id    bigint PRIMARY KEY,         -- the job's
  times int NOT NULL
);
