-- What decides between push and pull for an author, beside the followers: an operator's word, and what author and followers
-- were seen to do, smoothed. On the author's shard.
CREATE TABLE fanout_rates (
  author_id       bigint PRIMARY KEY,
  pinned          text CHECK (pinned IN ('push', 'pull')),  -- NULL: the policy decides
  measured_at     timestamptz,                              -- or when observing began; NULL: not observed
  seconds         double precision,                         -- how long was looked, less what is forgotten; NULL: not measured
  tweets          double precision,                         -- in these seconds
  read_rate       double precision,                         -- home reads a second, of all followers together
  read_rate_alone double precision,                         -- of followers who pull no other author
  active_share    double precision                          -- of the followers, those with a stored home list
);
