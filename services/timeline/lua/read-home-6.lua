--@include mark
--@include window
-- Everything that a viewer's own partition knows of their home timeline.
-- KEYS: 1 home list, 2 own list, 3 following, 4 blocked, 5 muted, 6 pulled authors. ARGV: 1 viewer's id.
-- Result: 1 home floor, 2 home ids, 3 own floor, 4 own ids ("" as the floor: not stored; ids joined by commas),
--   5 which of keys 3–6 are stored, as "1111", 6 the pulled authors that the viewer follows, joined by commas.
local mark, out, stored = run_mark(), {}, ''
for i = 1, 2 do
  local floor = window_floor(KEYS[i], mark)
  out[2 * i - 1] = floor or ''
  out[2 * i] = floor and table.concat(redis.call('LRANGE', KEYS[i], 0, -2), ',') or ''
end
for i = 3, 6 do
  stored = stored .. redis.call('SISMEMBER', KEYS[i], mark)
end
out[5] = stored
local pulled = {}
if stored == '1111' then
  for _, id in ipairs(redis.call('SINTER', KEYS[3], KEYS[6])) do
    if id ~= mark then pulled[#pulled + 1] = id end
  end
end
out[6] = table.concat(pulled, ',')
return out
