-- What failovers and moves of buckets need of the fence.
ALTER TABLE placement
  ADD COLUMN deposed_by int,                               -- timeline of the primary that took over from this one; set on the old one
  ADD COLUMN leaving int4multirange NOT NULL DEFAULT '{}'; -- buckets that may leave any moment: readers look at the epoch after each read
-- `map` may also name a shard's servers: [{"shard": "s0", "buckets": [[0, 1023]], "servers": ["postgres://…"]}].

-- The timeline that a primary writes; it grows with each promotion. Fails on a replica.
CREATE FUNCTION wal_timeline() RETURNS int LANGUAGE sql STABLE AS $$
  SELECT ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int
$$;

-- Whether this shard has a bucket. What lies here of others is a copy on its way here, or left over.
CREATE FUNCTION owns(bucket int) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT owned @> bucket FROM placement
$$;

-- The door of every write transaction, as before; it also refuses (RS002) on a server that is not in charge any more: one that
-- was deposed, or whose timeline is older than that of the primary the router knows.
DROP FUNCTION enter_write(int[], bigint);
CREATE FUNCTION enter_write(buckets int[], router_epoch bigint, router_timeline int DEFAULT 0) RETURNS void LANGUAGE plpgsql AS $$
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
  IF here.deposed_by IS NOT NULL THEN
    RAISE EXCEPTION 'this server of shard % was deposed by timeline %', here.shard, here.deposed_by USING ERRCODE = 'RS002';
  END IF;
  IF router_timeline > wal_timeline() THEN
    RAISE EXCEPTION 'this server of shard % is on timeline %, not %', here.shard, wal_timeline(), router_timeline USING ERRCODE = 'RS002';
  END IF;
  IF router_epoch < here.epoch THEN
    RAISE EXCEPTION 'shard map epoch % is older than %', router_epoch, here.epoch USING ERRCODE = 'RS001';
  END IF;
  FOREACH bucket IN ARRAY buckets LOOP
    IF NOT here.owned @> bucket THEN
      RAISE EXCEPTION 'bucket % is not on shard %', bucket, here.shard USING ERRCODE = 'RS001';
    END IF;
  END LOOP;
  -- A repeat that finds everything done, by a commit that no standby has confirmed, has to wait for one itself.
  IF cardinality(buckets) > 0 AND current_setting('synchronous_standby_names') <> '' THEN
    PERFORM pg_logical_emit_message(true, 'roost', '');
  END IF;
END $$;

-- Takes a newer map; false where this shard's is as new. Waits for writes to the buckets that leave; whoever comes after
-- them is refused. Once one shard has a map all must get it: whoever finds one that lacks it brings it.
CREATE FUNCTION adopt_map(new_epoch bigint, new_map jsonb) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  here placement;
  new_owned int4multirange;
  bucket int;
BEGIN
  SELECT * INTO here FROM placement FOR UPDATE;
  IF NOT FOUND OR here.epoch >= new_epoch THEN
    RETURN false;
  END IF;
  SELECT coalesce(range_agg(int4range((r ->> 0)::int, (r ->> 1)::int, '[]')), '{}') INTO new_owned
    FROM jsonb_array_elements(new_map) s, jsonb_array_elements(s -> 'buckets') r WHERE s ->> 'shard' = here.shard;
  FOR bucket IN SELECT b FROM generate_series(0, 1023) b WHERE here.owned @> b AND NOT new_owned @> b LOOP
    PERFORM pg_advisory_xact_lock(1, bucket);
  END LOOP;
  UPDATE placement SET epoch = new_epoch, map = new_map, owned = new_owned, leaving = leaving * new_owned;
  RETURN true;
END $$;
