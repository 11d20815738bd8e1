--@include mark
--@include window
--@include rate
-- Everything that a viewer's own partition knows of a page of their home timeline.
-- KEYS: 1 home list, 2 own list, 3 following, 4 blocked, 5 muted, 6 pulled authors, 7 how often the viewer reads, 8 since
--   when reads are counted in this partition.
-- ARGV: 1 only what is older than this id ("": all), 2 entries at most of each list, 3 for how many reads this one is to
--   be counted ("": reads are not counted), 4 s since 1970, 5 how long reads are remembered (s).
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
local times = tonumber(ARGV[3])
-- At the first read of all something is missing.
if times and (times > 0 or stored ~= '1111') then redis.call('SETNX', KEYS[8], ARGV[4]) end
if times and times > 0 then
  rate_count(KEYS[7], times, tonumber(ARGV[4]), tonumber(ARGV[5]))
end
return out
