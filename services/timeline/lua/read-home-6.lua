--@include mark
--@include window
-- Everything that a viewer's own partition knows of a page of their home timeline.
-- KEYS: 1 home list, 2 own list, 3 following, 4 blocked, 5 muted, 6 pulled authors.
-- ARGV: 1 only what is older than this id ("": all), 2 entries at most of each list.
-- Result: 1–3 the home list and 4–6 the own list, as window_slice has them, 7 which of keys 3–6 are stored, as "1111",
--   8 the pulled authors that the viewer follows, joined by commas.
local mark, count, out, stored = run_mark(), tonumber(ARGV[2]), {}, ''
out[1], out[2], out[3] = window_slice(KEYS[1], mark, ARGV[1], count)
out[4], out[5], out[6] = window_slice(KEYS[2], mark, ARGV[1], count)
for i = 3, 6 do
  stored = stored .. redis.call('SISMEMBER', KEYS[i], mark)
end
out[7] = stored
local pulled = {}
if stored == '1111' then
  for _, id in ipairs(redis.call('SINTER', KEYS[3], KEYS[6])) do
    if id ~= mark then pulled[#pulled + 1] = id end
  end
end
out[8] = table.concat(pulled, ',')
return out
