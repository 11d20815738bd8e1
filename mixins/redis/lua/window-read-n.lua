--@include mark
--@include window
-- Reads windowed lists.
-- KEYS: the lists. Result: two elements a list: its floor ("" where it is not stored), its ids joined by commas.
local mark, out = run_mark(), {}
for i, key in ipairs(KEYS) do
  local floor = window_floor(key, mark)
  out[2 * i - 1] = floor or ''
  out[2 * i] = floor and table.concat(redis.call('LRANGE', key, 0, -2), ',') or ''
end
return out
