--@include mark
-- How a viewer stands to some authors.
-- KEYS: 1 following, 2 blocked, 3 muted. ARGV: the authors.
-- Result: a digit for each, in one string: 1 followed + 2 blocked either way + 4 muted; "" where a set is not stored.
local mark = run_mark()
local following = redis.call('SMISMEMBER', KEYS[1], mark, unpack(ARGV))
local blocked = redis.call('SMISMEMBER', KEYS[2], mark, unpack(ARGV))
local muted = redis.call('SMISMEMBER', KEYS[3], mark, unpack(ARGV))
if following[1] == 0 or blocked[1] == 0 or muted[1] == 0 then return '' end
local out = {}
for i = 2, #ARGV + 1 do
  out[i - 1] = following[i] + 2 * blocked[i] + 4 * muted[i]
end
return table.concat(out)
