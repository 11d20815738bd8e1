--@include mark
-- Which authors a viewer sees in the home timeline: followed, not blocked either way, not muted.
-- KEYS: 1 following, 2 blocked, 3 muted. ARGV: the authors. Result: "1" or "0" for each in one string; "" where a set is
-- not stored.
local mark = run_mark()
local following = redis.call('SMISMEMBER', KEYS[1], mark, unpack(ARGV))
local blocked = redis.call('SMISMEMBER', KEYS[2], mark, unpack(ARGV))
local muted = redis.call('SMISMEMBER', KEYS[3], mark, unpack(ARGV))
if following[1] == 0 or blocked[1] == 0 or muted[1] == 0 then return '' end
local out = {}
for i = 1, #ARGV do
  out[i] = following[i + 1] == 1 and blocked[i + 1] == 0 and muted[i + 1] == 0 and '1' or '0'
end
return table.concat(out)
