--@include mark
-- Publishes a marked set that is filled under a lease: all at once, or what is too much for one call in several.
-- KEYS: 1 the set. ARGV: 1 token, 2 "all", "more" (to come) or "last", 3 time to live in ms, 4… members.
-- Result: 1, or 0 where the lease is dead. Until the last call the set counts as missing.
local mark = run_mark()
local lease = 'l' .. ARGV[1] .. mark
if redis.call('SISMEMBER', KEYS[1], lease) == 0 then return 0 end
-- A set that never held anything but integers stays compact.
if ARGV[2] == 'all' then redis.call('DEL', KEYS[1]) end
if ARGV[2] ~= 'more' then redis.call('SADD', KEYS[1], mark) end
for first = 4, #ARGV, 1000 do
  redis.call('SADD', KEYS[1], unpack(ARGV, first, math.min(first + 999, #ARGV)))
end
if ARGV[2] ~= 'more' then
  redis.call('SREM', KEYS[1], lease, 'building' .. mark)
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return 1
