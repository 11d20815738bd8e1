-- What decides between push and pull for an author, beside the followers: an operator's word, and rates as they were
-- last measured, smoothed. On the author's shard.
CREATE TABLE fanout_rates (
  author_id        bigint PRIMARY KEY,
  pinned           text CHECK (pinned IN ('push', 'pull')),  -- NULL: the policy decides
  write_rate       double precision,                         -- tweets a second
  active_followers double precision,                         -- followers with a stored home list
  read_rate        double precision,                         -- home reads a second of all active followers together
  measured_at      timestamptz                               -- NULL: never
);
