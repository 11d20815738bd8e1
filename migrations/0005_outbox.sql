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

-- The next followers of an author after one of them, in the order of their buckets, straight along the index. Most authors
-- have few followers, so the planner expects few, and would rather sort them all: for each page of a giant.
CREATE FUNCTION followers_after(author bigint, after_bucket int, after_src bigint, how_many int)
RETURNS TABLE (bucket smallint, src bigint) LANGUAGE sql STABLE SET enable_sort = off SET enable_bitmapscan = off AS $$
  SELECT src_bucket, src FROM inverse_edges
  WHERE dst = author AND kind = 'follow' AND (src_bucket, src) > (after_bucket, after_src)
  ORDER BY src_bucket, src LIMIT how_many
$$;
