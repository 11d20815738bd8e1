--@include mark
--@include window
-- Publishes a list that was built under a lease, with what was pushed meanwhile.
-- KEYS: 1 the list. ARGV: 1 token, 2 time to live in ms, 3 floor, 4 entries kept, 5… ids, newest first.
-- Result: 1, or 0 where the lease is dead (expired, invalidated, evicted).
if redis.call('LINDEX', KEYS[1], -1) ~= 'l' .. ARGV[1] then return 0 end
redis.call('RPOP', KEYS[1])
for first = 5, #ARGV, 1000 do
  redis.call('RPUSH', KEYS[1], unpack(ARGV, first, math.min(first + 999, #ARGV)))
end
redis.call('RPUSH', KEYS[1], ARGV[3] .. '|' .. run_mark())
redis.call('PEXPIRE', KEYS[1], ARGV[2])
local keep = tonumber(ARGV[4])
if redis.call('LLEN', KEYS[1]) > keep + 1 then window_trim(KEYS[1], keep) end
return 1
