--@include mark
-- Takes the lease to fill a missing marked set.
-- KEYS: 1 the set. ARGV: 1 token, 2 lease ms. Result: "leased", "building" or "stored".
-- A lease carries the mark of the Redis process that gave it: what another one left behind may lack invalidations.
local mark = run_mark()
local building = 'building' .. mark
if redis.call('SISMEMBER', KEYS[1], mark) == 1 then return 'stored' end
if redis.call('SISMEMBER', KEYS[1], building) == 1 then return 'building' end
redis.call('DEL', KEYS[1])
redis.call('SADD', KEYS[1], building, 'l' .. ARGV[1] .. mark)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 'leased'
