-- A user's bucket is a hash of the lower-case handle, so account, credentials and sessions share a shard, and the
-- unique index makes a handle unique across all shards.
CREATE TABLE users (
  id         bigint PRIMARY KEY,
  username   text NOT NULL CHECK (username ~ '^[A-Za-z0-9_]{1,15}$'),
  name       text NOT NULL,
  profile    jsonb NOT NULL DEFAULT '{}'   -- description, location, url, …
);
CREATE UNIQUE INDEX users_handle ON users (lower(username));

CREATE TABLE credentials (
  user_id       bigint PRIMARY KEY,
  password_hash text NOT NULL              -- PHC string, argon2id
);

-- Tokens are stored as SHA-256; the bucket is part of the token, so that a lookup goes to one shard.
CREATE TABLE sessions (
  bucket          smallint NOT NULL,
  id              uuid NOT NULL DEFAULT gen_random_uuid(),
  user_id         bigint NOT NULL,
  access_hash     bytea NOT NULL,
  access_expires  timestamptz NOT NULL,
  refresh_hash    bytea NOT NULL,
  refresh_expires timestamptz NOT NULL,
  created_at      timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (bucket, id)
);
CREATE UNIQUE INDEX sessions_access ON sessions (bucket, access_hash);
CREATE UNIQUE INDEX sessions_refresh ON sessions (bucket, refresh_hash);
CREATE INDEX sessions_user ON sessions (user_id);

-- The association store (after Facebook's TAO, USENIX ATC 2013): an edge on the shard of its source …
CREATE TYPE edge_kind AS ENUM ('follow', 'block', 'mute', 'like', 'bookmark', 'retweet', 'reply', 'quote', 'mention');
CREATE TABLE edges (
  src  bigint NOT NULL,
  kind edge_kind NOT NULL,
  dst  bigint NOT NULL,
  id   bigint NOT NULL,                    -- next_id(bucket of src): when it was made, and the order of pages
  PRIMARY KEY (src, kind, dst)
);
CREATE INDEX edges_newest ON edges (src, kind, id DESC) INCLUDE (dst);

-- … and its mirror on the shard of its destination, ordered by the bucket of the source, so that a page of followers is
-- already grouped by Redis partition.
CREATE TABLE inverse_edges (
  dst        bigint NOT NULL,
  kind       edge_kind NOT NULL,
  src_bucket smallint NOT NULL,
  src        bigint NOT NULL,
  id         bigint NOT NULL,              -- the forward edge's
  PRIMARY KEY (dst, kind, src_bucket, src)
);
CREATE INDEX inverse_edges_newest ON inverse_edges (dst, kind, id DESC) INCLUDE (src);

CREATE TABLE tweets (
  id        bigint PRIMARY KEY,
  author_id bigint NOT NULL,
  text      text NOT NULL,
  entities  jsonb
);
CREATE INDEX tweets_author ON tweets (author_id, id DESC);

CREATE TABLE idempotency_keys (
  user_id    bigint NOT NULL,
  key        text NOT NULL,
  body_hash  bytea NOT NULL,
  tweet_id   bigint NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (user_id, key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

-- Authors whose tweets are pulled at read time. 'entering': being announced, still pushed; 'pull': not pushed any more;
-- 'leaving': pushed again, but still pulled until every home list is younger than the change.
CREATE TABLE pull_authors (
  author_id  bigint PRIMARY KEY,
  state      text NOT NULL CHECK (state IN ('entering', 'pull', 'leaving')),
  changed_at timestamptz NOT NULL DEFAULT now()
);
