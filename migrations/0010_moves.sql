-- Moving buckets from one shard to another (services/operator/shards/move.ts).

-- What replicates rows has no search_path, and makes the documents of the tweets that arrive.
ALTER FUNCTION search_document(bigint, bigint, text, jsonb, jsonb, bigint, text) SET search_path FROM CURRENT;

-- Moves of buckets away from this shard; one at a time.
CREATE TABLE moves (
  id            text PRIMARY KEY,    -- "roost_move_" || id names the publication, the slot and the subscription
  first         int NOT NULL,
  last          int NOT NULL,
  target        text NOT NULL,
  step          text NOT NULL,       -- the latest that began
  subscription  oid,                 -- on the target; slots for the first copy are named after it
  marker        int NOT NULL DEFAULT 0, -- the latest one that was set
  decided_epoch bigint,              -- of the map that gives the buckets away; NULL: not decided
  pauses        real[] NOT NULL DEFAULT '{}', -- ms for which writers were held up; the last one is that of the decision
  began_at      timestamptz NOT NULL DEFAULT now(),
  ended_at      timestamptz,
  outcome       text CHECK (outcome IN ('moved', 'taken back'))
);
CREATE UNIQUE INDEX moves_under_way ON moves ((true)) WHERE ended_at IS NULL;

-- Set on the source and replicated: changes are applied in the order of their commits, so when one has arrived at the
-- target, so has everything before it.
CREATE TABLE move_markers (
  move   text PRIMARY KEY,
  number int NOT NULL
);
-- On the target: the marker that was seen there. Its commit is flushed (and at the synchronous replicas), and with it
-- whatever was applied before, which by itself is not.
CREATE TABLE move_arrivals (
  move   text PRIMARY KEY,
  number int NOT NULL
);

-- Holds up all writes to a range of buckets until the transaction ends; when it has them, by this server's clock.
CREATE FUNCTION fence_buckets(first int, last int) RETURNS timestamptz LANGUAGE plpgsql AS $$
BEGIN
  FOR bucket IN first .. last LOOP
    PERFORM pg_advisory_xact_lock(1, bucket);
  END LOOP;
  RETURN clock_timestamp();
END $$;

-- As before, but of the buckets that this shard has: others lie here while they are on their way, or are left over. Of a
-- CASE the planner believes that half of all rows pass, which is near enough; of the operator, that hardly any do.
CREATE OR REPLACE FUNCTION tweets_looked_up(query tsquery, after bigint, before bigint, how_many int)
RETURNS SETOF tweets LANGUAGE plpgsql STABLE SET plan_cache_mode = force_custom_plan SET enable_indexscan = off AS $$
DECLARE
  here int4multirange := (SELECT owned FROM placement);
BEGIN
  RETURN QUERY SELECT * FROM tweets t WHERE t.search @@ query AND t.id > after AND t.id < before
    AND CASE WHEN here @> bucket_of(t.id) THEN true ELSE false END ORDER BY t.id DESC LIMIT how_many;
END $$;

CREATE OR REPLACE FUNCTION tweets_matching(query tsquery, after bigint, before bigint, how_many int)
RETURNS SETOF tweets LANGUAGE plpgsql STABLE SET plan_cache_mode = force_custom_plan AS $$
DECLARE
  walked CONSTANT int := 5000;
  here   int4multirange := (SELECT owned FROM placement);
  found  int;
  last   bigint;
BEGIN
  IF strpos(query::text, '<->') = 0 THEN
    RETURN QUERY SELECT * FROM tweets t WHERE t.search @@ query AND t.id > after AND t.id < before
      AND CASE WHEN here @> bucket_of(t.id) THEN true ELSE false END ORDER BY t.id DESC LIMIT how_many;
    RETURN;
  END IF;
  RETURN QUERY SELECT * FROM (
      SELECT * FROM tweets t WHERE t.id > after AND t.id < before
        AND CASE WHEN here @> bucket_of(t.id) THEN true ELSE false END ORDER BY t.id DESC LIMIT walked) newest
    WHERE newest.search @@ query ORDER BY newest.id DESC LIMIT how_many;
  GET DIAGNOSTICS found = ROW_COUNT;
  IF found = how_many THEN RETURN; END IF;
  SELECT t.id INTO last FROM tweets t WHERE t.id > after AND t.id < before
    AND CASE WHEN here @> bucket_of(t.id) THEN true ELSE false END ORDER BY t.id DESC OFFSET walked - 1 LIMIT 1;
  IF last IS NULL THEN RETURN; END IF;
  RETURN QUERY SELECT * FROM tweets_looked_up(query, after, last, how_many - found);
END $$;
