--@include mark
--@include window
-- Reads windowed lists.
-- KEYS: the lists. ARGV: 1 only what is older than this id ("": all), 2 entries at most.
-- Result: three elements a list, those of window_slice: floor, "1" where it is only the slice's, ids joined by commas.
local mark, count, out = run_mark(), tonumber(ARGV[2]), {}
for i, key in ipairs(KEYS) do
  out[3 * i - 2], out[3 * i - 1], out[3 * i] = window_slice(key, mark, ARGV[1], count)
end
return out
