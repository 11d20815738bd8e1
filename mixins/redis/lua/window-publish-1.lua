--@include mark
--@include window
-- Publishes a list that was built under a lease, with what was pushed meanwhile.
-- KEYS: 1 the list. ARGV: 1 token, 2 time to live in ms, 3 floor, 4 entries kept, 5… ids, newest first, each once.
-- Result: 1, or 0 where the lease is dead (expired, invalidated, evicted, or given by another Redis process).
local mark = run_mark()
if redis.call('LINDEX', KEYS[1], -1) ~= 'l' .. ARGV[1] .. '|' .. mark then return 0 end
local keep, pushed, merged, at = tonumber(ARGV[4]), redis.call('LRANGE', KEYS[1], 0, -2), {}, 5
for _, id in ipairs(pushed) do
  while ARGV[at] and newer(ARGV[at], id) do
    merged[#merged + 1] = ARGV[at]
    at = at + 1
  end
  if ARGV[at] == id then at = at + 1 end
  -- A late push at or below the floor would pass for the floor once it is the last one left.
  if newer(id, ARGV[3]) then merged[#merged + 1] = id end
end
for i = at, #ARGV do
  merged[#merged + 1] = ARGV[i]
end
redis.call('DEL', KEYS[1])
for first = 1, #merged, 1000 do
  redis.call('RPUSH', KEYS[1], unpack(merged, first, math.min(first + 999, #merged)))
end
redis.call('RPUSH', KEYS[1], ARGV[3] .. '|' .. mark)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
if #merged > keep then window_trim(KEYS[1], keep) end
return 1
