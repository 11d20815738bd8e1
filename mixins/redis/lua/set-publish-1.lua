--@include mark
-- Publishes a marked set that was filled under a lease.
-- KEYS: 1 the set. ARGV: 1 token, 2 time to live in ms, 3… members. Result: 1, or 0 where the lease is dead.
if redis.call('SISMEMBER', KEYS[1], 'l' .. ARGV[1]) == 0 then return 0 end
redis.call('DEL', KEYS[1])
redis.call('SADD', KEYS[1], run_mark())
for first = 3, #ARGV, 1000 do
  redis.call('SADD', KEYS[1], unpack(ARGV, first, math.min(first + 999, #ARGV)))
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
