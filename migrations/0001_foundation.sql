-- Ids, placement, the write fence and the outbox: what every later table builds on.
-- An id is 63 bits: 41 of milliseconds since 1288834974657, 10 of bucket, 12 of sequence (after Twitter's Snowflake).

CREATE SEQUENCE id_sequence MAXVALUE 4095 CYCLE CACHE 1 MINVALUE 0;

CREATE FUNCTION next_id(bucket int) RETURNS bigint LANGUAGE sql VOLATILE PARALLEL UNSAFE AS $$
  SELECT (((extract(epoch FROM clock_timestamp()) * 1000)::bigint - 1288834974657) << 22)
       | (bucket::bigint << 12)
       | nextval('id_sequence')
$$;

CREATE FUNCTION bucket_of(id bigint) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT ((id >> 12) & 1023)::int
$$;

-- What this shard knows of the shard map: one row. `owned` is this shard's part of `map`, for the fence.
CREATE TABLE placement (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  shard    text NOT NULL,
  epoch    bigint NOT NULL,
  map      jsonb NOT NULL,          -- [{"shard": "s0", "buckets": [[0, 1023]]}]
  owned    int4multirange NOT NULL
);

-- The door of every write transaction. A mover of buckets takes the same locks exclusively, so that a write either
-- finishes before the move or is refused after it, whatever the router believed. Locks are taken in ascending order.
CREATE FUNCTION enter_write(buckets int[], router_epoch bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  bucket int;
  here placement;
BEGIN
  FOR bucket IN SELECT DISTINCT b FROM unnest(buckets) b ORDER BY b LOOP
    PERFORM pg_advisory_xact_lock_shared(1, bucket);
  END LOOP;
  SELECT * INTO here FROM placement;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'this shard has no placement yet' USING ERRCODE = 'RS001';
  END IF;
  IF router_epoch < here.epoch THEN
    RAISE EXCEPTION 'shard map epoch % is older than %', router_epoch, here.epoch USING ERRCODE = 'RS001';
  END IF;
  FOREACH bucket IN ARRAY buckets LOOP
    IF NOT here.owned @> bucket THEN
      RAISE EXCEPTION 'bucket % is not on shard %', bucket, here.shard USING ERRCODE = 'RS001';
    END IF;
  END LOOP;
END $$;

-- Deferred effects, committed with the write that causes them. A job names a key; whoever works on it re-reads the truth.
CREATE TABLE outbox (
  id         bigint PRIMARY KEY,    -- next_id(bucket of the key)
  kind       text NOT NULL,
  key        jsonb NOT NULL,
  cursor     jsonb,                 -- how far a long job has come
  attempts   int NOT NULL DEFAULT 0,
  last_error text,                  -- of the latest attempt that ended in order
  waits_for_redis boolean NOT NULL DEFAULT false, -- Redis was away when it was tried: readers keep off Redis until it is done
  run_after  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX outbox_due ON outbox (kind, run_after);
CREATE INDEX outbox_waiting ON outbox (id) WHERE waits_for_redis;

CREATE TABLE dead_letters (
  id         bigint PRIMARY KEY,
  kind       text NOT NULL,
  key        jsonb NOT NULL,
  cursor     jsonb,
  attempts   int NOT NULL,
  last_error text,
  died_at    timestamptz NOT NULL DEFAULT now()
);

CREATE FUNCTION enqueue(bucket int, kind text, key jsonb, delay interval DEFAULT '0') RETURNS bigint LANGUAGE sql AS $$
  INSERT INTO outbox (id, kind, key, run_after) VALUES (next_id(bucket), kind, key, now() + delay) RETURNING id
$$;

-- Counters are folded from deltas in batches, so that many writers to one subject never queue up on its row.
CREATE TABLE counters (
  subject bigint NOT NULL,
  name    text NOT NULL,
  value   bigint NOT NULL,
  PRIMARY KEY (subject, name)
);
CREATE TABLE counter_deltas (
  id      bigint PRIMARY KEY,       -- next_id(bucket of the subject)
  subject bigint NOT NULL,
  name    text NOT NULL,
  delta   int NOT NULL
);
CREATE INDEX counter_deltas_subject ON counter_deltas (subject, name);

CREATE FUNCTION count_delta(subject bigint, name text, delta int) RETURNS void LANGUAGE sql AS $$
  INSERT INTO counter_deltas (id, subject, name, delta) VALUES (next_id(bucket_of(subject)), subject, name, delta)
$$;

-- A counter as it is now: what has been folded and what is pending, in one snapshot.
CREATE FUNCTION counter_value(of_subject bigint, of_name text) RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT coalesce((SELECT value FROM counters WHERE subject = of_subject AND name = of_name), 0)
       + coalesce((SELECT sum(delta) FROM counter_deltas WHERE subject = of_subject AND name = of_name), 0)::bigint
$$;

-- Folds the given deltas; the caller has entered their buckets.
CREATE FUNCTION fold_counters(ids bigint[]) RETURNS bigint LANGUAGE sql AS $$
  WITH taken AS (
    DELETE FROM counter_deltas WHERE id IN (
      SELECT id FROM counter_deltas WHERE id = ANY(ids) ORDER BY id FOR UPDATE SKIP LOCKED
    ) RETURNING subject, name, delta
  ), folded AS (
    INSERT INTO counters (subject, name, value)
    SELECT subject, name, sum(delta) FROM taken GROUP BY subject, name ORDER BY subject, name
    ON CONFLICT (subject, name) DO UPDATE SET value = counters.value + excluded.value
  )
  SELECT count(*) FROM taken
$$;
